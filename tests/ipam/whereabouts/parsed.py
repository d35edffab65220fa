"""Configurations of whereabouts, read as a request's, without an engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cni_multus.cni.addressing import Ip
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Request
from ipam.whereabouts.parsing import parse_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ipam.whereabouts.config import WhereaboutsConfig
    from ipam.whereabouts.pool import Pool

VARIABLES = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "c1",
    "CNI_NETNS": "/some/where",
    "CNI_IFNAME": "net1",
}


def request(ipam: object, arguments: str = "", environment: dict[str, str] | None = None, **keys: Any) -> Request:
    """A request with this `ipam`, and `keys` beside it."""
    config = {"cniVersion": "1.1.0", "name": "mynet", "type": "macvlan", "ipam": ipam, **keys}
    variables = {**VARIABLES, "CNI_ARGS": arguments, **(environment or {})}
    return Request.parse(variables, json.dumps(config).encode())


def parsed(
    ipam: object,
    arguments: str = "",
    *,
    environment: dict[str, str] | None = None,
    candidates: Sequence[Path] = (),
    **keys: Any,
) -> WhereaboutsConfig:
    """What becomes of `ipam` on a node whose flat file is one of `candidates`."""
    asked = request(ipam, arguments, environment, **keys)
    return parse_config(asked, asked.config.section("ipam"), [str(path) for path in candidates])


def pool(text: str, **more: Any) -> Pool:
    """The one pool of a range."""
    (found,) = parsed({"range": text, **more}).pools
    return found


def window(found: Pool) -> tuple[str, str]:
    """The first and the last address that a pool may give."""
    return str(Ip(found.family, found.spans[0][0])), str(Ip(found.family, found.spans[-1][1]))


def given(found: Pool) -> Iterator[str]:
    """Everything that a pool may give, ascending."""
    for low, high in found.spans:
        for number in range(low, high + 1):
            yield str(Ip(found.family, number))


def refused(ipam: object, code: int, *words: str, **more: Any) -> CniError:
    """The error that `ipam` is refused with, which must contain the words."""
    with pytest.raises(CniError) as caught:
        parsed(ipam, **more)
    assert caught.value.code == code, caught.value
    for word in words:
        assert word in f"{caught.value.message} {caught.value.details}"
    return caught.value
