"""A tenant who asks for very much: refused by a limit that the error names, or done within the bounds of a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.nads.bounded import MOST_MEMBERS, MOST_PLUGINS
from tests.binary.calls import ask
from tests.security.asking import asking, define

if TYPE_CHECKING:
    from tests.node import Node, Pod

MACVLAN = {"type": "macvlan", "master": "up0"}
LARGEST = 300 << 20
"""Bytes of address space: with thirteen times the memory that a request has (24 MiB) and the libraries, no more."""


def addressed(**ipam: object) -> dict[str, Any]:
    return {**MACVLAN, "ipam": ipam}


EXCESS: dict[str, tuple[object, str]] = {
    "annotation": ("red," * (1 << 18), "more than 256 KiB"),
    "elements": (",".join(["red"] * 10_000), "more than 256"),
    "elements in JSON": ([{"name": "red"}] * 10_000, "more than 256"),
    "plugins": ({"plugins": [{"type": "tuning"}] * (MOST_PLUGINS + 1)}, f"more than {MOST_PLUGINS}"),
    "sets": (addressed(type="host-local", ranges=[[{"subnet": "10.0.0.0/8"}]] * 10_000), f"than {MOST_MEMBERS} "),
    "ranges": (addressed(type="host-local", ranges=[[{"subnet": "10.0.0.0/8"}] * 10_000]), f"than {MOST_MEMBERS} "),
    "exclusions": (addressed(type="whereabouts", range="fd00::/8", exclude=["fd00::1"] * 10_000), "spec.config.ipam"),
    "routes": (addressed(type="static", routes=[{"dst": "10.0.0.0/8"}] * 10_000), "spec.config.ipam"),
    "settings": ({"type": "tuning", "sysctl": {f"net.x{at}": "1" for at in range(10_000)}}, "spec.config.sysctl"),
    "keys": ({**MACVLAN, **{f"k{at}": 1 for at in range(10_000)}}, f"more than {MOST_MEMBERS}"),
    "depth": ('{"a":' * 100_000, "deeper than 200"),
    "lists": ("[" * 1_000_000, "deeper than 200"),
    "everything": (addressed(type="host-local", subnet="::/0"), "a network that is everything"),
    "size": ({**MACVLAN, "x": "y" * (5 << 20)}, "is larger than 4 MiB"),
}


ASKED = ("annotation", "elements", "elements in JSON")
"""Of the annotation; all others are of a definition."""


@pytest.mark.parametrize("what", EXCESS)
def test_what_is_too_much_is_refused_by_a_limit_that_is_told(node: Node, pod: Pod, what: str) -> None:
    """By the program itself, which may take no more memory than it needs for any other request."""
    content, said = EXCESS[what]
    wishes = content if what in ASKED else "red"
    define(node, "red", located(node, MACVLAN if what in ASKED else content))
    bounded = ["/usr/bin/prlimit", f"--as={LARGEST}"]
    answer = ask(node, pod, "ADD", asking(node, wishes), *bounded)
    message = answer.failed(6 if what == "annotation" else 7)
    assert said in message
    assert len(answer.stdout) < 8192
    assert node.remains(pod) == {}


def located(node: Node, content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return text.replace('"type": "host-local"', f'"type": "host-local", "dataDir": {json.dumps(str(node.addresses))}')


def test_a_range_of_any_size_costs_what_is_taken_of_it(node: Node, pod: Pod) -> None:
    """Most of what the API may give is excluded, in as many pieces as a definition may have."""
    pieces = [f"fd00:{at:x}::/32" for at in range(4000)]
    leases = {"datastore": "file", "dataDir": str(node.leases)}
    define(node, "leased", addressed(type="whereabouts", range="fd00::/8", exclude=pieces, **leases))
    local = {"dataDir": str(node.addresses), "exclude": pieces}
    define(node, "local", addressed(type="host-local", subnet="fd00::/8", **local))
    config = asking(node, "leased,local")
    for command in ("ADD", "CHECK", "DEL"):
        ask(node, pod, command, config, "/usr/bin/prlimit", f"--as={LARGEST}").succeeded()
        if command == "ADD":
            assert pod.addresses("net1") == ["fd00:fa0::/8"]
            assert pod.addresses("net2") == ["fd00:fa0::/8"]
    assert node.remains(pod) == {}


def test_as_many_networks_as_a_pod_may_have(node: Node, pod: Pod) -> None:
    define(node, "red", MACVLAN)
    config = asking(node, ",".join(["red"] * 64))
    for command in ("ADD", "CHECK", "DEL"):
        ask(node, pod, command, config, "/usr/bin/prlimit", f"--as={LARGEST}").succeeded()
    assert node.remains(pod) == {}
