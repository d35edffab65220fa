"""A pod with everything, attached by one of two runtimes, and what there was before it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.chains.everything import Things, fewer, files_of, more, things_of
from tests.chains.lists import capabilities, full

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.node import Answer, Pod
    from tests.plugins.runtime import Runtime

UNUSED = tuple(f"nft {kind} inet multus_hostports way" for kind in ("chain", "rule"))

PATIENCE = 60.0
"""Seconds that the kernel may take to clear up after a namespace."""


class Scene:
    """The pod's networks are the meta-plugin's, which remembers what it did; `told` changes CNI_* variables of DEL."""

    def __init__(self, node: Runtime, pod: Pod, number: int = 0) -> None:
        self.node = node
        self.pod = pod
        self.number = number
        self.config = full(node, number)
        self.told: dict[str, str] = {}
        self.attach()
        self.detach()
        self.before = self.now()

    def attach(self) -> None:
        """ADD."""
        self.node.call("ADD", self.config, self.pod).succeeded()

    def check(self) -> None:
        """CHECK, which must find nothing."""
        self.node.call("CHECK", self.config, self.pod).succeeded()

    def detach(self) -> None:
        """DEL, as much as the runtime knows."""
        assert self.node.call("DEL", self.config, self.pod, **self.told).succeeded().stdout == b""

    def collect(self, *valid: Pod) -> None:
        """GC, with these pods still there."""
        members = [{"containerID": pod.container_id, "ifname": "eth0"} for pod in valid]
        self.node.call("GC", {**self.config, "cni.dev/valid-attachments": members}).succeeded()

    def now(self) -> Things:
        """What the node has."""
        return things_of(self.node.host.path) | files_of(self.node.root)

    def left(self) -> Things:
        """What the node has that it had not before; the kernel is given its time."""
        deadline = time.monotonic() + PATIENCE
        while (found := more(self.now(), self.before)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def lost(self) -> Things:
        """What the node had, and has not any more, but ways of ports that nobody went any more: GC removes those."""
        return without(fewer(self.now(), self.before), *UNUSED)


class ListScene(Scene):
    """A runtime of three lists, which calls one plugin after another; `remembers` nothing it forgets them all."""

    def __init__(self, node: Runtime, pod: Pod, number: int = 0) -> None:
        self.remembers = True
        self.is_capable = True
        self.changed: dict[str, Any] = {}
        self.results: dict[str, dict[str, Any]] = {}
        super().__init__(node, pod, number)

    def attach(self) -> None:
        for ifname, network in self._lists():
            self.results[ifname] = {}
            for member in network["plugins"]:
                answer = self._call("ADD", network, member, ifname, self.results[ifname]).succeeded()
                self.results[ifname] = answer.document

    def check(self) -> None:
        for ifname, network in self._lists():
            for member in network["plugins"]:
                self._call("CHECK", network, member, ifname, self.results[ifname]).succeeded()

    def detach(self) -> None:
        for ifname, network in reversed(self._lists()):
            for member in reversed(network["plugins"]):
                known = self.results[ifname] if self.remembers else {}
                answer = self._call("DEL", network, {**member, **self.changed}, ifname, known, **self.told)
                assert answer.succeeded().stdout == b""

    def collect(self, *valid: Pod) -> None:
        for ifname, network in self._lists():
            members = [{"containerID": pod.container_id, "ifname": ifname} for pod in valid]
            for member in network["plugins"]:
                config = {**_common(network, member), "cni.dev/valid-attachments": members}
                self.node.call("GC", config, kind=member["type"]).succeeded()

    def _lists(self) -> list[tuple[str, dict[str, Any]]]:
        return list(zip(("eth0", "net1", "net2"), self.config["delegates"], strict=True))

    def _call(
        self,
        verb: str,
        network: Mapping[str, Any],
        member: Mapping[str, Any],
        ifname: str,
        previous: Mapping[str, Any],
        **told: str,
    ) -> Answer:
        config = _common(network, member)
        wanted = {key: capabilities(self.number)[key] for key in member.get("capabilities", ())}
        if wanted and self.is_capable:
            config["runtimeConfig"] = wanted
        if not self.is_capable:
            config.pop("runtimeConfig", None)
        if previous:
            config["prevResult"] = previous
        return self.node.call(verb, config, self.pod, kind=member["type"], **{"CNI_IFNAME": ifname, **told})


def _common(network: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
    return {**member, "name": network["name"], "cniVersion": network["cniVersion"]}


def without(things: Things, *starts: str) -> Things:
    """Those whose names begin with none of `starts`."""
    return {name: value for name, value in things.items() if not name.startswith(starts)}
