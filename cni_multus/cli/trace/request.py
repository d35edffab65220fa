"""One request made by hand, step by step: ADD of a configuration to a namespace, and DEL of it again."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cni_multus.cli.output import GREEN, RED, Column, Table, emit, warn
from cni_multus.cli.trace.steps import Steps, own_times
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Request
from cni_multus.confdir import load_file
from cni_multus.network import Network

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from cni_multus.cni.result import Result

STDIN = "-"
_COLUMNS = (
    Column("AT MS", "at", right=True, show=lambda value: f"{value:.1f}"),
    Column("MS", "ms", right=True, show=lambda value: f"{value:.1f}"),
    Column("PART", "part"),
    Column("STEP", "what"),
)
_PARTS = (Column("REQUEST", "request"), Column("PART", "part"), Column("MS", "ms", right=True))
_OUTCOMES = (
    Column("REQUEST", "request"),
    Column("OUTCOME", "outcome", style=lambda value: GREEN if value == "ok" else RED),
    Column("MS", "ms", right=True),
    Column("ADDRESSES", "addresses", rare=True),
    Column("WHY", "message", rare=True),
)


def trace_request(arguments: argparse.Namespace) -> bool:
    """Do it, and show it; whether all went well. Raises CniError for what cannot be begun."""
    network = _load(arguments.config)
    with ExitStack() as stack:
        netns = arguments.netns
        if not netns:
            from cni_multus.cli.call.space import Temporary

            netns = stack.enter_context(Temporary()).path
        request = _request(arguments, network, os.path.abspath(netns))
        told = [_timed("ADD", lambda: network.add(request, Section({})))]
        result = told[0].pop("result", None)
        request.command = "DEL"
        told.append(_timed("DEL", lambda: _delete(network, request, result)))  # type: ignore[arg-type]
        told[1].pop("result", None)
    document = {"network": network.name, "container": request.container_id, "netns": netns, "requests": told}
    emit(arguments.output, document, _tables(told))
    return all(one["outcome"] == "ok" for one in told)


def _load(path: str) -> Network:
    if path == STDIN:
        return Network(Section(parse_object(sys.stdin.buffer.read(), "standard input")))
    return load_file(path)


def _request(arguments: argparse.Namespace, network: Network, netns: str) -> Request:
    """As a runtime makes it; the container's ID is nobody else's."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CNI_")}
    environment |= {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": f"trace-{os.getpid()}-{time.time_ns():x}",
        "CNI_NETNS": netns,
        "CNI_IFNAME": arguments.ifname,
        "CNI_ARGS": arguments.args,
        "CNI_PATH": arguments.bin_dir,
    }
    request = Request.of(environment)
    request.config = Section(network.raw)
    return request


def _delete(network: Network, request: Request, result: Result | None) -> None:
    if failures := network.delete(request, result, Section({})):
        raise failures[0]


def _timed(verb: str, work: Callable[[], Result | None]) -> dict[str, object]:
    told: dict[str, object] = {"request": verb, "outcome": "ok"}
    begun = time.perf_counter()
    steps = Steps()
    try:
        with steps:
            told["result"] = result = work()
        if result is not None:
            told["addresses"] = [str(ip.address) for ip in result.ips]
    except CniError as error:
        told |= {"outcome": "failed", "code": error.code, "message": error.message}
    except KeyboardInterrupt:
        told |= {"outcome": "interrupted"}
        warn(f"{verb} was interrupted; what it made is taken back")
    whole = (time.perf_counter() - begun) * 1000
    told["ms"] = round(whole, 1)
    told["parts"] = own_times(steps.found, whole)
    told["steps"] = [
        {"depth": one.depth, "at": round(one.at, 1), "ms": round(one.ms, 1), "part": one.part, "what": one.what}
        for one in steps.found
    ]
    return told


def _tables(told: list[dict[str, object]]) -> list[Table]:
    tables = []
    parts: list[dict[str, object]] = []
    for one in told:
        steps, times = one["steps"], one["parts"]
        assert isinstance(steps, list)
        assert isinstance(times, dict)
        rows = [{**step, "what": ". " * step["depth"] + step["what"]} for step in steps]
        tables.append(Table(f"{one['request']}, step by step", _COLUMNS, rows))
        parts += [{"request": one["request"], "part": part, "ms": ms} for part, ms in times.items()]
    return [*tables, Table("What took the time", _PARTS, parts), Table("Outcome", _OUTCOMES, told)]
