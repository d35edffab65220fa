"""What `multus install` left on a node, and the primary's configuration that it finds there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cni_multus.node.marker import FOREIGN, OURS, read_mark, stamp
from cni_multus.node.primary import find_primary
from cni_multus.node.receipt import Receipt
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import CONFLISTS, MULTUS, printed
from tests.fuzz.target import target

if TYPE_CHECKING:
    from collections.abc import Iterable


def receipts() -> Iterable[bytes]:
    made = [
        {"path": "/opt/cni/bin/multus", "kind": "link", "content": ".multus/x", "before": "multus"},
        {"path": "/etc/cni/net.d/00-multus.conf", "kind": "file", "content": "", "before": ""},
    ]
    places = {"confDir": "/etc/cni/net.d", "cniDir": "/var/lib/cni/multus", "resultsDir": "/var/lib/cni/results"}
    rest = {"logFile": "/var/log/x", "state": "installed", "previous": "0.0.9", "retired": {"0.0.8": "b"}}
    yield printed({"format": 1, "by": "multus 0.1.0", **places, **rest, "entries": made})


@target(6, 7, seeds=receipts)
def receipt(data: bytes) -> None:
    found = Receipt.parse("/", "/opt/cni/bin", data, "the receipt")
    again = Receipt.parse("/", "/opt/cni/bin", found.data, "the receipt")
    assert again == found


def primaries() -> Iterable[bytes]:
    yield from CONFLISTS[:6]
    yield from MULTUS[:2]
    yield printed(stamp(json.loads(MULTUS[0]), "/etc/cni/net.d/10-x.conflist", "10-x.conflist"))


@target(7, 11, seeds=primaries, words=("multus.io/generated", "sha256", "multus", "multus-shim"))
def primary(data: bytes) -> None:
    mark = read_mark(data)
    assert mark.owner
    for name in ("10-x.conflist", "20-y.conf"):
        (SCRATCH / name).write_bytes(data)
    try:
        document = json.loads(data)
        if isinstance(document, dict) and mark.owner == FOREIGN:
            assert read_mark(json.dumps(stamp(document, "/x")).encode()).owner == OURS
    except (ValueError, RecursionError):
        document = None
    found = find_primary("/", str(SCRATCH))
    assert found.name
    assert found.types
