"""One network: a single plugin or a list of them, run in order, and backwards to take it apart."""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, DelegateFailure, InvalidNetworkConfig, IoFailure, note_leftovers
from cni_multus.cni.names import wrong_with_name
from cni_multus.cni.request import VALID_ATTACHMENTS, Request
from cni_multus.cni.versions import FIRST_WITH, OLDEST, SUPPORTED, at_least, parse_version, require_supported
from cni_multus.delegate import Program, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.result import Result
    from cni_multus.cni.verbs import Plugin


class Network:
    """What a configuration describes; `raw` is the configuration itself, to be kept for the DEL."""

    __slots__ = ("disable_check", "disable_gc", "name", "plugins", "programs_first", "raw", "version")

    def __init__(self, config: Section, *, name: str = "", version: str = "") -> None:
        """Read a plugin's configuration or a list; `name` and `version` serve where it has none of its own."""
        self.raw = config.raw
        self.name = config.text("name") or name
        self.version = _version(config) or version or OLDEST
        self.disable_check = config.lenient_flag("disableCheck")
        self.disable_gc = config.lenient_flag("disableGC")
        self.programs_first = False
        if not self.name:
            raise config.wrong("name", "the network has no name")
        if why := wrong_with_name(self.name):
            raise config.wrong("name", why)
        parse_version(self.version)
        self.plugins = config.sections("plugins") if config.has("plugins") else (config,)
        if not self.plugins:
            raise config.wrong("plugins", "the list is empty")
        for plugin in self.plugins:
            if not plugin.text("type"):
                raise InvalidNetworkConfig(f"{plugin.where('type')}: the plugin's type is missing")

    @property
    def types(self) -> tuple[str, ...]:
        """The types of its plugins."""
        return tuple(plugin.text("type") for plugin in self.plugins)

    def refuse_type(self, kind: str, why: str) -> None:
        """Raise where a plugin, or the IPAM of one, is of type `kind`."""
        for plugin in self.plugins:
            parts = [plugin] if not isinstance(plugin.value("ipam"), dict) else [plugin, plugin.section("ipam")]
            for part in parts:
                if part.text("type") == kind:
                    raise part.wrong("type", why)

    def add(self, request: Request, capabilities: Section) -> Result:
        """Attach; on failure the members that had succeeded are detached again, backwards."""
        result = request.previous
        for at, section in enumerate(self.plugins):
            try:
                plugin = self._find(section, request)
                result = plugin.add(self._member(section, request, result, capabilities))
            except BaseException as error:
                failures = self._take_back(at, request, result, capabilities)
                note_leftovers(error, [failure.message for failure in failures])
                raise
        if result is None:
            raise DelegateFailure(f"network {self.name} gave no result")
        return result

    def delete(self, request: Request, result: Result | None, capabilities: Section) -> list[CniError]:
        """Detach every member, the last first; what failed is returned, and did not stop the others."""
        return self._delete(self.plugins, request, result, capabilities)

    def check(self, request: Request, result: Result | None, capabilities: Section) -> None:
        """Raise the first CheckFailed of a member."""
        for section in () if self.disable_check else self.plugins:
            plugin = self._find(section, request)
            if self._knows("CHECK", plugin):
                plugin.check(self._member(section, request, result, capabilities))

    def status(self, request: Request) -> None:
        """Raise the first member's reason why an ADD would fail."""
        for section in self.plugins:
            plugin = self._find(section, request)
            if isinstance(plugin, Program):
                plugin.refuse_unguarded()
            if self._knows("STATUS", plugin):
                plugin.status(self._member(section, request, None, Section({})))

    def collect_garbage(self, request: Request, valid: list[dict[str, object]]) -> list[CniError]:
        """Let every member remove what is not in `valid`; what failed is returned."""
        failures: list[CniError] = []
        if self.disable_gc:
            return failures
        for section in self.plugins:
            try:
                plugin = self._find(section, request)
                if not self._knows("GC", plugin):
                    continue
                member = self._member(section, request, None, Section({}))
                member.config.raw[VALID_ATTACHMENTS] = valid
                member.config.raw["cni.dev/attachments"] = valid
                plugin.collect_garbage(member)
            except CniError as error:
                failures.append(error)
            except OSError as error:
                failures.append(IoFailure(f"cannot collect what {section.text('type')} left: {error}"))
        return failures

    def member(self, section: Section, request: Request, capabilities: Section) -> Request:
        """What the plugin that `section` configures is asked, if no other comes before it."""
        return self._member(section, request, None, capabilities)

    def _knows(self, verb: str, plugin: Plugin) -> bool:
        """Ours know every verb whatever the configuration's version; a program knows those of its version."""
        return not isinstance(plugin, Program) or at_least(self.version, FIRST_WITH[verb])

    def _take_back(self, failed: int, request: Request, result: Result | None, capabilities: Section) -> list[CniError]:
        """DEL of what had been done: ours took back their own part, a program is told to."""
        section = self.plugins[failed]
        try:
            failed_too = 1 if isinstance(self._find(section, request), Program) else 0
        except CniError:
            failed_too = 0
        return self._delete(self.plugins[: failed + failed_too], request, result, capabilities)

    def _delete(
        self, sections: tuple[Section, ...], request: Request, result: Result | None, capabilities: Section
    ) -> list[CniError]:
        failures: list[CniError] = []
        left = list(sections)
        try:
            while left:
                section = left.pop()
                try:
                    member = self._member(section, request, result, capabilities, verb="DEL")
                    self._find(section, request).delete(member)
                except CniError as error:
                    failures.append(error)
                except OSError as error:
                    failures.append(IoFailure(f"cannot take {section.text('type')} apart: {error}"))
        finally:  # one that fails as nobody foresaw must not keep the others from being detached
            if left:
                failures += self._delete(tuple(left), request, result, capabilities)
        return failures

    def _find(self, section: Section, request: Request) -> Plugin:
        plugin = find(section.text("type"), request.path, section.where("type"), programs_first=self.programs_first)
        if not isinstance(plugin, Program):
            require_supported(self.version, plugin.versions)
        return plugin

    def _member(
        self, section: Section, request: Request, previous: Result | None, capabilities: Section, verb: str = ""
    ) -> Request:
        document = {**section.raw, "name": self.name, "cniVersion": self.version}
        document.pop("prevResult", None)
        asked = section.section("capabilities")
        wanted = {key: value for key, value in capabilities.raw.items() if asked.flag(key)}
        if wanted:
            document["runtimeConfig"] = wanted
        member = request.with_config(Section(document), previous)
        member.command = verb or request.command
        return member


def _version(config: Section) -> str:
    """The list's version; `cniVersions` offers several, of which the newest that we speak is taken."""
    written = config.text("cniVersion")
    offered = sorted((*config.texts("cniVersions"), written), key=parse_version)
    known = [version for version in offered if version in SUPPORTED]
    return known[-1] if known else written
