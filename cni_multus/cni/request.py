"""What a runtime asks for: the CNI_* variables and the JSON on standard input, validated before anything happens."""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, InvalidEnvironment, InvalidNetns, InvalidNetworkConfig
from cni_multus.cni.names import LONGEST_ID, is_name, wrong_with_ifname, wrong_with_name
from cni_multus.cni.result import Result
from cni_multus.cni.versions import OLDEST, require_supported, require_verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol, TypeVar

    T = TypeVar("T")

    class Measure(Protocol):
        """Does a part of the work, and knows how long it took."""

        def __call__(self, work: Callable[[Request], T], request: Request) -> T: ...


VERBS = ("ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION")
OF_A_CONTAINER = ("ADD", "DEL", "CHECK")
VALID_ATTACHMENTS = "cni.dev/valid-attachments"
OWN_NETNS = "/proc/thread-self/ns/net"

_TRUE = ("1", "t", "true")
_FALSE = ("", "0", "f", "false")
_KNOWN_ARGUMENTS = ("IgnoreUnknown", "IP", "GATEWAY", "MAC")


class Attachment:
    """The key of everything that is made: a network, a container and an interface in it."""

    __slots__ = ("container_id", "ifname", "network")

    def __init__(self, network: str, container_id: str, ifname: str) -> None:
        self.network = network
        self.container_id = container_id
        self.ifname = ifname


class Request:
    """One call of a plugin. `config` is the plugin's own section, `previous` the result of the one before it."""

    __slots__ = (
        "arguments",
        "command",
        "config",
        "container_id",
        "environment",
        "ifname",
        "measure",
        "netns",
        "path",
        "previous",
        "sandbox",
        "timeout",
    )

    def __init__(
        self,
        command: str,
        config: Section,
        environment: Mapping[str, str],
        *,
        container_id: str = "",
        netns: str = "",
        ifname: str = "",
        arguments: dict[str, str] | None = None,
        path: tuple[str, ...] = (),
        previous: Result | None = None,
        sandbox: str = "",
        timeout: float = 0.0,
    ) -> None:
        self.command = command
        self.config = config
        self.environment = environment
        self.container_id = container_id
        self.netns = netns
        self.ifname = ifname
        self.arguments = arguments or {}
        self.path = path
        self.previous = previous
        self.sandbox = sandbox or f"{container_id}@{ifname}"
        """What the runtime's own call is about; the requests of its several networks share it."""
        self.timeout = timeout
        """Seconds that a program which is executed for it may take; 0 means the usual time."""
        self.measure: Measure = _unmeasured
        """By which IPAM's part is done."""

    @staticmethod
    def parse(environment: Mapping[str, str], stdin: bytes) -> Request:
        """Read both; raises the error that the specification has for what is wrong."""
        request = Request.of(environment)
        request.read(stdin)
        return request

    @staticmethod
    def of(environment: Mapping[str, str]) -> Request:
        """What the variables say; the configuration is still empty."""
        request = Request(parse_command(environment), Section({}), environment)
        if request.command in OF_A_CONTAINER:
            request._read_container()
            request.arguments = _parse_arguments(environment.get("CNI_ARGS", ""), tolerant=request.command == "DEL")
        request.path = tuple(part for part in environment.get("CNI_PATH", "").split(":") if part)
        return request

    def read(self, stdin: bytes) -> None:
        """Take the configuration, and refuse what no plugin could work with."""
        self.config = Section(parse_object(stdin, "standard input"))
        if why := wrong_with_name(self.name):
            raise self.config.wrong("name", why)
        self._refuse_own_netns()

    @property
    def name(self) -> str:
        """The network's name."""
        return self.config.text("name")

    @property
    def version(self) -> str:
        """The version to answer in."""
        return self.config.text("cniVersion") or OLDEST

    @property
    def attachment(self) -> Attachment:
        """What this request is about, as a key."""
        return Attachment(self.name, self.container_id, self.ifname)

    def require_version(self, supported: tuple[str, ...]) -> None:
        """Raise IncompatibleVersion unless the plugin, and the verb, speak the configuration's version."""
        require_supported(self.version, supported)
        require_verb(self.version, self.command)

    def read_previous(self) -> None:
        """Take `prevResult` from the configuration; on DEL one that cannot be read counts as none."""
        if self.command not in OF_A_CONTAINER or not self.config.has("prevResult"):
            return
        try:
            self.previous = Result.parse(self.config.section("prevResult"), self.version)
        except CniError:
            if self.command != "DEL":
                raise

    def with_config(self, config: Section, previous: Result | None) -> Request:
        """The same request for another plugin."""
        request = Request(
            self.command,
            config,
            self.environment,
            container_id=self.container_id,
            netns=self.netns,
            ifname=self.ifname,
            arguments=self.arguments,
            path=self.path,
            previous=previous,
            sandbox=self.sandbox,
            timeout=self.timeout,
        )
        request.measure = self.measure
        return request

    def valid_attachments(self) -> set[tuple[str, str]]:
        """GC: what the runtime still knows, as (container ID, interface); raises where the list is absent."""
        if not self.config.has(VALID_ATTACHMENTS):
            raise InvalidNetworkConfig(f"{VALID_ATTACHMENTS}: GC needs the list of what is valid, and it is absent")
        members = self.config.sections(VALID_ATTACHMENTS)
        return {(member.text("containerID"), member.text("ifname")) for member in members}

    def _read_container(self) -> None:
        self.container_id = self.environment.get("CNI_CONTAINERID", "")
        self.netns = self.environment.get("CNI_NETNS", "")
        self.ifname = self.environment.get("CNI_IFNAME", "")
        if self.container_id and not is_name(self.container_id):
            raise InvalidEnvironment(f"CNI_CONTAINERID {self.container_id!r} is not letters, digits, '_', '.' and '-'")
        if len(self.container_id) > LONGEST_ID:
            raise InvalidEnvironment(
                f"CNI_CONTAINERID is {len(self.container_id)} characters long, more than {LONGEST_ID}"
            )
        if self.ifname and (why := wrong_with_ifname(self.ifname)):
            raise InvalidEnvironment(f"CNI_IFNAME {self.ifname!r} cannot name an interface: {why}")
        self.sandbox = f"{self.container_id}@{self.ifname}"
        required = {"CNI_CONTAINERID": self.container_id, "CNI_NETNS": self.netns, "CNI_IFNAME": self.ifname}
        if self.command == "DEL":
            del required["CNI_NETNS"]
        missing = [name for name, value in required.items() if not value]
        if missing:
            raise InvalidEnvironment(f"required variables are missing: {', '.join(missing)}")

    def _refuse_own_netns(self) -> None:
        override = self.environment.get("CNI_NETNS_OVERRIDE", "")
        if not self.netns or override == "1" or override.lower() == "true":
            return
        try:
            meant, own = os.stat(self.netns), os.stat(OWN_NETNS)
        except (OSError, ValueError):
            return
        if (meant.st_dev, meant.st_ino) == (own.st_dev, own.st_ino):
            raise InvalidNetns(
                f"CNI_NETNS {self.netns} is the network namespace that this program runs in",
                "set CNI_NETNS_OVERRIDE=1 if that is really meant",
            )


def _unmeasured(work: Callable[[Request], T], request: Request) -> T:
    return work(request)


def parse_command(environment: Mapping[str, str]) -> str:
    """CNI_COMMAND, which must be one of the six verbs."""
    command = environment.get("CNI_COMMAND", "")
    if not command:
        raise InvalidEnvironment("required variables are missing: CNI_COMMAND")
    if command not in VERBS:
        raise InvalidEnvironment(f"CNI_COMMAND {command!r} is not one of {', '.join(VERBS)}")
    return command


def _parse_arguments(text: str, *, tolerant: bool) -> dict[str, str]:
    """CNI_ARGS, `K=V;K=V`; the first `=` of a pair splits it, empty pairs are nothing."""
    arguments = {}
    for pair in text.split(";"):
        key, equals, value = pair.partition("=")
        if equals and key:
            arguments[key] = value
        elif pair.strip() and not tolerant:
            raise InvalidEnvironment(f"CNI_ARGS: {pair!r} is not KEY=VALUE")
    if not tolerant:
        _refuse_unknown(arguments)
    return arguments


def _refuse_unknown(arguments: dict[str, str]) -> None:
    ignore = arguments.get("IgnoreUnknown", "").lower()
    if ignore in _TRUE:
        return
    if ignore not in _FALSE:
        raise InvalidEnvironment(f"CNI_ARGS: IgnoreUnknown must be true or false, and is {ignore!r}")
    unknown = [key for key in arguments if key not in _KNOWN_ARGUMENTS and not key.startswith("K8S_POD_")]
    if unknown:
        raise InvalidEnvironment(f"CNI_ARGS: unknown {', '.join(unknown)} (IgnoreUnknown=1 passes over them)")
