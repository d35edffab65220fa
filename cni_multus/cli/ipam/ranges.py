"""How large a network's pool is: its ranges, from the configurations that this node has or remembers.

They are the files of the configuration directory, and what was attached with: the journal of multus, libcni's cache.
What cannot be read there is passed over: a size that is not known is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Request
from cni_multus.state import files, libcni_cache
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cni.addressing import Cidr
    from ipam.host_local.ranges import RangeSet
    from ipam.whereabouts.config import WhereaboutsConfig

_ENDINGS = (".conflist", ".conf", ".json")


@dataclass(frozen=True)
class Known:
    """The ranges of one network, as text, and how many addresses they may give; None where that is not known."""

    texts: list[str] = field(default_factory=list)
    size: int | None = None


class KnownRanges:
    """`conf_dir`, `cni_dir` and `results_dir` are where configurations are looked for, in this order."""

    def __init__(self, conf_dir: str, cni_dir: str, results_dir: str) -> None:
        self._conf_dir = conf_dir
        self._cni_dir = cni_dir
        self._results_dir = results_dir
        self._sections: dict[tuple[str, str], tuple[Section, Section]] | None = None

    def of(self, engine: str, network: str) -> Known:
        """The ranges of a network of host-local."""
        sets = self._sets(engine, network)
        return Known([str(ranges) for ranges in sets], sum(ranges.size for ranges in sets)) if sets else Known()

    def subnets(self, engine: str, network: str) -> list[Cidr]:
        """The prefixes that addresses of a network of host-local have."""
        return [one.subnet for ranges in self._sets(engine, network) for one in ranges.ranges]

    def _sets(self, engine: str, network: str) -> list[RangeSet]:
        from ipam.host_local.config import parse_sets

        found = self.sections().get((engine, network)) if engine == "host-local" else None
        if found is None:
            return []
        whole, ipam = found
        try:
            return parse_sets(Request("STATUS", whole, {}), ipam)
        except CniError:
            return []

    def whereabouts(self) -> list[WhereaboutsConfig]:
        """The configurations of whereabouts that can be read."""
        from ipam.whereabouts.parsing import parse_config

        found = []
        for (kind, _), (whole, ipam) in self.sections().items():
            if kind != "whereabouts":
                continue
            try:
                found.append(parse_config(Request("STATUS", whole, {}), ipam))
            except CniError:
                continue
        return found

    def sizes_of_pools(self) -> dict[str, int]:
        """How many addresses the cluster's pools give, by their names; those of slices are not known."""
        from ipam.whereabouts.cluster.naming import pool_name

        pools = [(config.network_name, pool) for config in self.whereabouts() for pool in config.pools]
        return {pool_name(name, pool.cidr): pool.size for name, pool in pools if not pool.slice_size}

    def sections(self) -> dict[tuple[str, str], tuple[Section, Section]]:
        """(type of the IPAM, network's name) -> the plugin's configuration and its `ipam`; the first found counts."""
        if self._sections is None:
            self._sections = {}
            for config in self._configs():
                for plugin, ipam in _with_ipam(config):
                    key = (ipam.text("type"), plugin.text("name"))
                    self._sections.setdefault(key, (plugin, ipam))
        return self._sections

    def _configs(self) -> Iterator[Section]:
        yield from self._of_the_directory()
        journal = Journal(self._cni_dir)
        for key in journal.keys():  # noqa: SIM118 - it is no mapping
            try:
                record = journal.find(*key)
            except CniError:
                continue
            for attachment in record.attachments if record else ():
                yield Section(attachment.network)
        for entry in libcni_cache.entries(self._results_dir):
            try:
                yield Section(parse_object(entry.config, entry.name))
            except CniError:
                continue

    def _of_the_directory(self) -> Iterator[Section]:
        try:
            names = sorted(files.names(self._conf_dir))
        except CniError:
            return
        for name in names:
            path = f"{self._conf_dir}/{name}"
            if not name.endswith(_ENDINGS):
                continue
            try:
                yield Section(parse_object(files.read(path, follow=True) or b"", path))
            except CniError:
                continue


def _with_ipam(config: Section) -> Iterator[tuple[Section, Section]]:
    """Every plugin of a network that has an `ipam`, named as its network is; the delegates of a multus too."""
    try:
        name = config.text("name")
        plugins = config.sections("plugins") or (config,)
        delegates = config.sections("delegates")
        for plugin in plugins:
            ipam = plugin.section("ipam")
            if ipam.text("type"):
                yield Section({**plugin.raw, "name": name}), ipam
    except CniError:
        return
    for delegate in delegates:
        yield from _with_ipam(delegate)
