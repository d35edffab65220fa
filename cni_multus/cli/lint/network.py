"""One network: a list of plugins or a single one, each held against its own parser and its schema."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cni_multus.cli.lint import parsers, refusals, sense
from cni_multus.cli.lint.schemas import check_schema
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.versions import SUPPORTED, require_supported
from cni_multus.network import Network
from cni_multus.registry import IPAM, MODULES, PLUGINS

if TYPE_CHECKING:
    from cni_multus.cli.lint.document import Options
    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.sense import Span
    from cni_multus.cli.lint.tree import Steps, Tree

CAPABILITIES = (
    "aliases",
    "bandwidth",
    "CNIDeviceInfoFile",
    "deviceID",
    "dns",
    "infinibandGUID",
    "io.kubernetes.cri.pod-annotations",
    "ipRanges",
    "ips",
    "mac",
    "portMappings",
)
"""The conventions of CNI (CONVENTIONS.md), and what Multus and runtimes add."""
NOT_BUNDLED = "neither built in nor a program in"


@dataclass
class Seen:
    """A network that was looked at: what others are held against."""

    tree: Tree
    label: str
    """How a pod names it: namespace/name of a definition, else the network's name."""
    name: str
    version: str
    types: tuple[str, ...] = ()
    spans: list[Span] = field(default_factory=list)
    families: set[int] = field(default_factory=set)
    """Of which families it brings default routes."""
    stands_on: list[tuple[str, int, Tree]] = field(default_factory=list)
    """Masters, with the MTU that was asked for."""
    makes: list[tuple[str, int]] = field(default_factory=list)
    """Links of the node that it makes, with their MTU."""
    vlans: list[tuple[str, int, Tree]] = field(default_factory=list)


class Networks:
    """Looks at networks, and keeps what was seen of each."""

    def __init__(self, report: Report, options: Options) -> None:
        self.report = report
        self.options = options
        self.seen: list[Seen] = []
        self._brought: dict[str, object] = {}

    def check(
        self, tree: Tree, *, name: str = "", version: str = "", label: str = "", follows: int = 0, device: bool = False
    ) -> Seen | None:
        """Look at the network at `tree`; `name` and `version` serve where it has none of its own.

        A single plugin `follows` so many others, where it is a part of a list; with `device` the kubelet brings one.
        """
        config = tree.value
        if not isinstance(config, dict):
            self.report.add("bad-type", tree, (), "a network must be a JSON object")
            return None
        self._brought = {"pciBusID": "0000:00:00.0"} if device else {}
        network = self._network(tree, config, name, version)
        if network is None:
            return None
        if not Section(config).has("cniVersion") and not version and not Section(config).has("cniVersions"):
            self.report.add("no-version", tree, (), "it has no cniVersion, and so speaks 0.1.0")
        seen = Seen(tree, label or network.name, network.name, network.version, network.types)
        if Section(config).has("plugins"):
            check_schema(self.report, tree, "list", skip=("plugins",))
            where = tree.find("plugins")
            for at, plugin in enumerate(network.plugins):
                self._plugin(tree.at(where, at), plugin, network, at, seen)
        else:
            self._plugin(tree, Section(config), network, follows, seen)
        if not follows:
            self.seen.append(seen)
        return seen

    def _network(self, tree: Tree, config: dict[str, object], name: str, version: str) -> Network | None:
        try:
            network = Network(Section(config), name=name, version=version)
            network.refuse_type("multus", "multus cannot be a delegate of itself")
        except CniError as error:
            self.report.add(refusals.rule_of(error), tree, refusals.around(error, tree), error.message)
            return None
        try:
            require_supported(network.version)
        except CniError as error:
            mend = f"write one of {', '.join(SUPPORTED)}"
            self.report.add("bad-version", tree, (tree.find("cniVersion"),), error.message, mend=mend)
        return network

    def _plugin(self, tree: Tree, section: Section, network: Network, at: int, seen: Seen) -> None:
        kind = section.text("type")
        # What the list says counts, and is told where it stands.
        version = network.version if network.version in SUPPORTED else "1.0.0"
        document = {**self._brought, **section.raw, "name": network.name, "cniVersion": version}
        own = section.value("cniVersion")
        if own not in (None, network.version) and network.raw is not section.raw:
            message = f"cniVersion {own!r} of a plugin is not looked at: the list's counts, {network.version}"
            self.report.add("version-mixture", tree, (tree.find("cniVersion"),), message)
        if kind in IPAM:
            self.report.add("bad-value", tree, (tree.find("type"),), f"{kind} is an IPAM, and makes no interface")
            return
        if kind not in PLUGINS:
            self._unknown_type(tree, (tree.find("type"),), kind, PLUGINS)
            self._capabilities(tree, section, None)
            return
        refusals.report_all(self.report, tree, document, lambda left: parsers.refusal_of(left, at=at))
        if kind in parsers.CHAINED and at == 0:
            message = f"{kind} changes what an earlier plugin of a list made, and there is none before it"
            self.report.add("chained-first", tree, (tree.find("type"),), message)
        check_schema(self.report, tree, kind, skip=("ipam",))
        ipam = self._ipam(tree, section, document)
        self._capabilities(tree, section, (kind, ipam))
        sense.look(self.report, tree, section, seen)

    def _ipam(self, tree: Tree, section: Section, document: dict[str, object]) -> str:
        raw = section.value("ipam")
        if not isinstance(raw, dict):
            return ""
        key = tree.find("ipam")
        inner = tree.at(key)
        kind = Section(raw).value("type")
        if not isinstance(kind, str) or not kind:
            if raw and kind in (None, ""):
                message = "ipam has no type, and so the interface gets no addresses"
                self.report.add("no-addresses", tree, (key,), message, mend=f"write a type: {', '.join(IPAM)}")
            return ""
        if kind in PLUGINS:
            self.report.add("not-ipam", inner, (inner.find("type"),), f"the plugin {kind!r} gives no addresses")
            return ""
        if kind not in IPAM:
            self._unknown_type(inner, (inner.find("type"),), kind, IPAM)
            return ""
        refusals.report_all(self.report, tree, document, parsers.ipam_refusal_of)
        check_schema(self.report, inner, kind)
        return kind

    def _unknown_type(self, tree: Tree, steps: Steps, kind: str, known: dict[str, str]) -> None:
        if any(os.access(os.path.join(directory, kind), os.X_OK) for directory in self.options.bin_dirs):
            return
        if kind in MODULES and "/" not in kind:
            return
        close = get_close_matches(kind, known, 1)
        places = ", ".join(self.options.bin_dirs) or "any directory of plugins"
        mend = f"did you mean {close[0]}?" if close else ""
        self.report.add("unknown-type", tree, steps, f"the type {kind!r} is {NOT_BUNDLED} {places}", mend=mend)

    def _capabilities(self, tree: Tree, section: Section, kinds: tuple[str, str] | None) -> None:
        raw = section.value("capabilities")
        if raw is None:
            return
        key = tree.find("capabilities")
        if not isinstance(raw, dict):
            self.report.add("bad-type", tree, (key,), "capabilities must be an object of booleans")
            return
        read = sense.capabilities_read(*kinds) if kinds else None
        for name, value in raw.items():
            if not isinstance(value, bool) and value is not None:
                self.report.add("bad-type", tree, (key, name), f"capabilities.{name} must be a boolean")
            if name not in CAPABILITIES:
                close = get_close_matches(name, CAPABILITIES, 1)
                mend = f"did you mean {close[0]}?" if close else ""
                message = f"no runtime hands over a capability {name!r}"
                self.report.add("unknown-capability", tree, (key, name), message, key=True, mend=mend)
            elif read is not None and name not in read and value is True:
                message = f"neither {' nor '.join(filter(None, kinds or ()))} reads the capability {name}"
                self.report.add("idle-capability", tree, (key, name), message, key=True)
