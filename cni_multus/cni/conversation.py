"""One call of a plugin from its streams to its exit status: exactly one JSON document, whatever happens."""

from __future__ import annotations

import sys

from cni_multus.cni.document import LARGEST, print_indented
from cni_multus.cni.errors import CniError, IoFailure, note_leftovers
from cni_multus.cni.request import Request, parse_command
from cni_multus.cni.versions import NEWEST, SUPPORTED, spoken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from cni_multus.cni.verbs import Plugin


def hold(
    load: Callable[[], Plugin], environment: Mapping[str, str], stdin: BinaryIO, stdout: BinaryIO, stderr: BinaryIO
) -> int:
    """Do what the environment and `stdin` ask of the plugin that `load` brings; the exit status.

    Loading happens in here so that even a broken import reaches the runtime as a JSON document.
    """
    call = _Call(load, environment)
    try:
        answer, failure = call.answer(stdin), None
    except CniError as error:
        answer, failure = print_indented(_to_json(error, call.version)), error
    except Exception as error:  # what nobody foresaw still gets its document; no other module has one
        _print_traceback(stderr)
        failure = CniError(f"internal error: {type(error).__name__}: {error}", "the traceback is on standard error")
        answer = print_indented(_to_json(failure, call.version))
    try:
        if answer:
            stdout.write(answer)
            stdout.flush()
    except OSError as error:
        # An answer that nobody got is a failure to the runtime: an ADD is taken back as after any other.
        failure = IoFailure(f"cannot write the answer to standard output: {error.strerror}")
        call.take_back(failure)
        _say(stderr, f"{failure.message}; {failure.details}\n" if failure.details else f"{failure.message}\n")
    call.tell(failure, stderr)
    return 1 if failure else 0


class _Call:
    """One request on its way: what is known of it so far is what an error is told with."""

    def __init__(self, load: Callable[[], Plugin], environment: Mapping[str, str]) -> None:
        self.load = load
        self.environment = environment
        self.request: Request | None = None
        self.plugin: Plugin | None = None
        self.added_by: Plugin | None = None

    @property
    def version(self) -> str:
        """The configuration's version where it is known and one of ours."""
        try:
            said = self.request.version if self.request and self.request.config.raw else NEWEST
        except CniError:
            return NEWEST
        return said if said in SUPPORTED else NEWEST

    def answer(self, stdin: BinaryIO) -> bytes:
        """What goes to standard output; nothing for most verbs."""
        if parse_command(self.environment) == "VERSION":
            return spoken().encode()
        request = self.request = Request.of(self.environment)
        request.read(_read(stdin))
        plugin = self.plugin = self.load()
        request.require_version(plugin.versions)
        request.read_previous()
        if request.command == "ADD":
            return self._add(plugin, request)
        verbs = {
            "DEL": plugin.delete,
            "CHECK": plugin.check,
            "STATUS": plugin.status,
            "GC": plugin.collect_garbage,
        }
        verbs[request.command](request)
        return b""

    def take_back(self, error: BaseException) -> None:
        """DEL of what an ADD made that cannot be told; what fails of it is noted in the details of `error`."""
        if self.added_by is None or self.request is None:
            return
        request = self.request.with_config(self.request.config, self.request.previous)
        request.command = "DEL"
        try:
            self.added_by.delete(request)
        except (CniError, OSError) as failure:
            note_leftovers(error, [str(failure)])

    def tell(self, error: CniError | None, stderr: BinaryIO) -> None:
        """Let the plugin know that the answer is out; whatever it does now, the answer stands."""
        try:
            if self.plugin is not None and self.request is not None:
                self.plugin.told(self.request, error)
        except Exception:  # as above
            _print_traceback(stderr)

    def _add(self, plugin: Plugin, request: Request) -> bytes:
        result = plugin.add(request)
        self.added_by = plugin
        try:
            return print_indented(result.to_json(request.version))
        except BaseException as error:
            self.take_back(error)
            raise


def _read(stdin: BinaryIO) -> bytes:
    try:
        return stdin.read(LARGEST + 1)
    except OSError as error:
        raise IoFailure(f"cannot read standard input: {error.strerror}") from error


def _to_json(error: CniError, version: str) -> dict[str, object]:
    shown: dict[str, object] = {"cniVersion": version, "code": error.code, "msg": error.message}
    if error.details:
        shown["details"] = error.details
    return shown


def _print_traceback(stderr: BinaryIO) -> None:
    import traceback

    _say(stderr, "".join(traceback.format_exception(*sys.exc_info())))


def _say(stderr: BinaryIO, text: str) -> None:
    try:
        stderr.write(text.encode(errors="backslashreplace"))
        stderr.flush()
    except OSError:
        return  # nobody listens, and the answer matters more
