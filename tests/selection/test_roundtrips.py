"""What is written as it should be is read as it was written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.selection.asked import shown, soundly

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z0-9]{1,5})?", fullmatch=True)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
IFNAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,14}", fullmatch=True).filter(
    lambda name: name not in ("lo", "all", "default")
)
BLANKS = st.text(" \t\n", max_size=2)
ITEMS = st.tuples(NAMES, st.none() | LABELS, st.none() | IFNAMES)
WANTED = st.lists(ITEMS, min_size=1, max_size=5, unique_by=lambda item: item[2] or object())


@given(WANTED, BLANKS, st.booleans())
def test_shorthand_is_read_as_it_was_written(
    items: list[tuple[str, str | None, str | None]], blank: str, comma: bool
) -> None:
    written = [
        (f"{space}/" if space else "") + name + (f"@{ifname}" if ifname else "") for name, space, ifname in items
    ]
    text = ",".join(f"{blank}{item}{blank}" for item in written) + "," * comma
    read = [(one.name, one.namespace if one.said_namespace else None, one.ifname or None) for one in soundly(text)]
    assert read == items


ARGUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("aA \n\u00fc\U0001f600", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\u00fc", max_size=3), inner, max_size=3),
    max_leaves=8,
)
REST: dict[str, st.SearchStrategy[Any]] = {
    "namespace": LABELS,
    "mac": st.integers(1, 2**40).map(lambda number: "02:" + number.to_bytes(6, "big")[1:].hex(":")),
    "infiniband-guid": st.integers(1, 2**63).map(lambda number: number.to_bytes(8, "big").hex(":")),
    "deviceID": st.from_regex(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", fullmatch=True),
    "ipam-claim-reference": NAMES,
    "cni-args": st.dictionaries(st.text("ab\u00fc", max_size=3), ARGUMENTS, max_size=3),
    "portMappings": st.lists(
        st.fixed_dictionaries(
            {
                "hostPort": st.integers(1, 65535),
                "containerPort": st.integers(1, 65535),
                "protocol": st.sampled_from(["tcp", "udp", "sctp"]),
            }
        ),
        max_size=3,
        unique_by=lambda mapping: (mapping["hostPort"], mapping["protocol"]),
    ),
}
FIELDS = {
    "infiniband-guid": "infiniband_guid",
    "deviceID": "device_id",
    "ipam-claim-reference": "ipam_claim",
    "cni-args": "cni_args",
    "portMappings": "port_mappings",
}


@given(
    st.lists(st.fixed_dictionaries({"name": NAMES}, optional=REST), max_size=4),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_elements_are_read_as_they_were_written(
    elements: list[dict[str, Any]], indent: int | None, comma: bool
) -> None:
    text = json.dumps(elements, indent=indent)
    if comma and elements:
        text = text.removesuffix("]") + ", ]"
    read = [{**shown(one), "namespace": one.namespace} for one in soundly(text)]
    for one in read:
        if not one.pop("said_namespace", False):
            assert one.pop("namespace") == "shop"
    assert read == [{FIELDS.get(key, key): value for key, value in each.items() if value} for each in elements]
