"""One call of a plugin from its streams to its exit status: exactly one JSON document, whatever happens."""

from __future__ import annotations

import sys

from cni_multus.cni.document import print_indented
from cni_multus.cni.errors import CniError, IoFailure
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
    said = _Said()
    try:
        answer = _answer(load, environment, stdin, said)
        status = 0
    except CniError as error:
        answer, status = print_indented(_to_json(error, said.version)), 1
    except Exception as error:  # the only one of this program: what nobody foresaw still gets its document
        _print_traceback(stderr)
        unforeseen = CniError(f"internal error: {type(error).__name__}: {error}", "the traceback is on standard error")
        answer, status = print_indented(_to_json(unforeseen, said.version)), 1
    try:
        if answer:
            stdout.write(answer)
            stdout.flush()
    except OSError as error:
        stderr.write(f"cannot write the answer to standard output: {error}\n".encode(errors="replace"))
        status = 1
    return status


class _Said:
    """The version that the configuration turned out to speak."""

    version = NEWEST


def _answer(load: Callable[[], Plugin], environment: Mapping[str, str], stdin: BinaryIO, said: _Said) -> bytes:
    command = parse_command(environment)
    if command == "VERSION":
        return spoken().encode()
    request = Request.parse(environment, _read(stdin))
    plugin = load()
    if request.version in SUPPORTED:
        said.version = request.version
    request.require_version(plugin.versions)
    request.read_previous()
    if command == "ADD":
        return _add(plugin, request)
    verbs = {
        "DEL": plugin.delete,
        "CHECK": plugin.check,
        "STATUS": plugin.status,
        "GC": plugin.collect_garbage,
    }
    verbs[command](request)
    return b""


def _add(plugin: Plugin, request: Request) -> bytes:
    result = plugin.add(request)
    try:
        return print_indented(result.to_json(request.version))
    except CniError:
        plugin.delete(request)
        raise


def _read(stdin: BinaryIO) -> bytes:
    try:
        return stdin.read()
    except OSError as error:
        raise IoFailure(f"cannot read standard input: {error}") from error


def _to_json(error: CniError, version: str) -> dict[str, object]:
    shown: dict[str, object] = {"cniVersion": version, "code": error.code, "msg": error.message}
    if error.details:
        shown["details"] = error.details
    return shown


def _print_traceback(stderr: BinaryIO) -> None:
    import traceback

    lines = traceback.format_exception(*sys.exc_info())
    stderr.write("".join(lines).encode(errors="replace"))
