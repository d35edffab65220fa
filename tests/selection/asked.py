"""Annotations as texts, and what becomes of them."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import CniError
from cni_multus.selection import DEFAULT_NETWORK, NETWORKS
from cni_multus.selection.annotations import parse_default_network, parse_networks

if TYPE_CHECKING:
    from cni_multus.selection.selected import Selection

PLACE = re.compile(r"(, ([^ ]+))? \(line 1, column (\d+)\)")
START = "annotation k8s.v1.cni.cncf.io/networks"
POD = "shop"


def asked(text: str) -> list[Selection]:
    """What a pod of the namespace `shop` asks for."""
    return parse_networks(text, POD)


def element(**keys: Any) -> Selection:
    """What one element with these keys asks for; `_` stands for a dash, and the name is `n1` where none is given."""
    (found,) = asked(json.dumps([{"name": "n1", **dashed(keys)}]))
    return found


def dashed(keys: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in keys.items()}


def refused(text: str) -> tuple[int, str]:
    """The code, and the message after the annotation's name."""
    with pytest.raises(CniError) as caught:
        asked(text)
    assert caught.value.message.startswith(START), caught.value
    return caught.value.code, caught.value.message.removeprefix(START)


def refused_element(**keys: Any) -> tuple[int, str]:
    """The same for one element with these keys, without number and place: that must be where the value stands."""
    document = [{"name": "n1", **dashed(keys)}]
    text = json.dumps(document)
    code, message = refused(text)
    message = message.removeprefix(", element 1")
    place = PLACE.match(message)
    assert place, message
    value: Any = document[0]
    for step in re.findall(r"[\w-]+", place[2] or ""):
        value = value[int(step) if isinstance(value, list) else step]
    assert json.JSONDecoder().raw_decode(text, int(place[3]) - 1)[0] == value, message
    return code, (place[2] or "") + message[place.end() :]


def shown(selection: Selection) -> dict[str, object]:
    """Every field that says something."""
    fields = [name for name in selection.__slots__ if not name.startswith("_")]
    return {name: value for name in fields if (value := getattr(selection, name))}


def outcome(annotation: str, text: str) -> list[Selection] | CniError:
    """What an annotation asks for, or the error."""
    try:
        if annotation == NETWORKS:
            return parse_networks(text, "shop")
        network = parse_default_network(text, "kube-system")
    except CniError as error:
        return error
    return [network] if network else []


def soundly(text: str) -> list[Selection]:
    """What a text asks for, with what holds for every text, in either annotation."""
    outcomes = []
    for annotation in (DEFAULT_NETWORK, NETWORKS):
        start = time.monotonic()
        found = outcome(annotation, text)
        assert time.monotonic() - start < 5
        outcomes.append(found)
        if isinstance(found, CniError):
            assert found.code in (6, 7)
            assert str(found).startswith(f"annotation {annotation}")
            assert len(str(found)) < 4096
            assert print_compact(str(found)).isascii()
            continue
        for number, one in enumerate(found, 1):
            assert one.name
            assert one.where.startswith(f"annotation {annotation}, element {number} (line ")
            print_compact([one.port_mappings, one.bandwidth, one.cni_args, list(one.ips), one.mac, one.device_id])
    return [] if isinstance(outcomes[1], CniError) else outcomes[1]
