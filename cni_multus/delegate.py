"""Another plugin, found by its type: one of ours is called, any other is a program in CNI_PATH."""

from __future__ import annotations

import os
import stat
import time

from cni_multus.cni.config import Section
from cni_multus.cni.document import name_of_type, parse, parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure, DelegateFailure, ForeignFailure, InvalidNetworkConfig
from cni_multus.cni.result import Result
from cni_multus.cni.verbs import Plugin
from cni_multus.cni.versions import at_least
from cni_multus.registry import MODULES, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request
    from cni_multus.program import Outcome

TIMEOUT = 90.0
"""Seconds a program may take: kubelet gives up on a sandbox after 120 to 240."""

_QUOTED = 600


def find(kind: str, path: tuple[str, ...], where: str = "type", *, programs_first: bool = False) -> Plugin:
    """The plugin of type `kind`; `where` is the type's JSON path, for the error that there is none.

    `programs_first` is what a runtime would do: our own serve only where `path` has no such program.
    """
    if not kind:
        raise InvalidNetworkConfig(f"{where}: the plugin's type is missing")
    if "/" in kind or "\0" in kind or kind in (".", ".."):
        raise InvalidNetworkConfig(f"{where}: {kind!r} is not the name of a program")
    bundled = None if programs_first and _locate(kind, path) else load(kind)
    if bundled is not None:
        return bundled
    program = _locate(kind, path)
    if not program:
        directories = ":".join(path) or "an empty CNI_PATH"
        raise DelegateFailure(
            f"{where}: there is no program {kind!r} in {directories}", f"built in are {', '.join(sorted(MODULES))}"
        )
    return Program(program)


class Program(Plugin):
    """A plugin that is executed, as the specification's section 4 says."""

    gives_addresses = True

    def __init__(self, path: str) -> None:
        self.path = path

    def refuse_unguarded(self) -> None:
        """Raise where any user of the node may put another program here: whoever executes it is root."""
        for path in (self.path, os.path.dirname(self.path)):
            try:
                mode = os.stat(path).st_mode
            except OSError:
                continue  # who executes it will tell
            if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
                raise DelegateFailure(
                    f"{self.path} is not executed: every user of this node may write to {path}",
                    f"`chmod o-w {path}`, after a look at who wrote there last",
                )

    def add(self, request: Request) -> Result:
        self.refuse_unguarded()
        outcome = self._call("ADD", request)
        what = f"what {self.path} printed"
        try:
            value = parse(outcome.stdout, what)
            if value is not None and not isinstance(value, dict):
                raise DecodingFailure(f"{what} is not a JSON object but {name_of_type(value)}")
            result = Result.parse(Section(value or {}), request.version)
        except CniError as error:
            raise DelegateFailure(f"{self.path} gave no result: {error.message}", _quote(outcome.stdout)) from error
        if value and "code" in value and not result.interfaces and not result.ips:
            raise _failure(self.path, outcome)  # whatever its exit status says
        return result

    def delete(self, request: Request) -> None:
        self._call("DEL", request)

    def check(self, request: Request) -> None:
        self._call("CHECK", request)

    def status(self, request: Request) -> None:
        self._call("STATUS", request)

    def collect_garbage(self, request: Request) -> None:
        self._call("GC", request)

    def _call(self, verb: str, request: Request) -> Outcome:
        from cni_multus import spent  # most requests execute nothing
        from cni_multus.program import run

        begun = time.monotonic()
        try:
            outcome = run(
                self.path, self._environment(verb, request), _stdin(verb, request), request.timeout or TIMEOUT
            )
        finally:
            spent.note(spent.PROGRAMS, begun)
        if outcome.status != 0:
            raise _failure(self.path, outcome)
        if outcome.stderr:
            _forward(outcome.stderr)
        return outcome

    def _environment(self, verb: str, request: Request) -> dict[str, str]:
        from cni_multus.program import foreign_environment

        environment = foreign_environment(request.environment)
        environment["CNI_COMMAND"] = verb
        environment["CNI_PATH"] = ":".join(request.path)
        if request.container_id:
            environment["CNI_CONTAINERID"] = request.container_id
            environment["CNI_NETNS"] = request.netns
            environment["CNI_IFNAME"] = request.ifname
            environment["CNI_ARGS"] = ";".join(f"{key}={value}" for key, value in request.arguments.items())
        override = request.environment.get("CNI_NETNS_OVERRIDE")
        if override:
            environment["CNI_NETNS_OVERRIDE"] = override
        return environment


def _stdin(verb: str, request: Request) -> bytes:
    document = dict(request.config.raw)
    if request.previous is not None and (verb == "ADD" or at_least(request.version, "0.4.0")):
        document["prevResult"] = request.previous.to_json(request.version)
    return print_compact(document)


def _locate(kind: str, path: tuple[str, ...]) -> str:
    for directory in path:
        program = os.path.join(directory, kind)
        try:
            if stat.S_ISREG(os.stat(program).st_mode):
                return program
        except (OSError, ValueError):
            continue
    return ""


def _failure(path: str, outcome: Outcome) -> CniError:
    said = _quote(outcome.stderr)
    if outcome.status < 0:
        return DelegateFailure(f"{path} was killed by signal {-outcome.status}", said)
    try:
        section = Section(parse_object(outcome.stdout, "its output"))
        code, message, details = section.number("code"), section.text("msg"), section.text("details")
    except CniError as error:
        printed = _quote(outcome.stdout) or "nothing"
        return DelegateFailure(
            f"{path} failed with status {outcome.status} and no CNI error ({error.message})", said or printed
        )
    if code == 0:
        return DelegateFailure(f"{path}: {message or 'it failed without a message'}", details or said)
    if not message:
        return ForeignFailure(code, f"{path} failed without a message", details or said)
    return ForeignFailure(code, message, details)


def _forward(stderr: bytes) -> None:
    try:
        os.write(2, stderr)
    except OSError:
        return  # nobody listens, and the work is done


def _quote(output: bytes) -> str:
    text = output.decode(errors="replace").strip()
    return text if len(text) <= _QUOTED else text[:_QUOTED] + " …"
