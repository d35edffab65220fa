"""static by itself, on both sides: where addresses and gateways come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.configs import ROUTES, static

if TYPE_CHECKING:
    from tests.differential.pair import Versions
    from tests.differential.side import Config

BOTH = {
    "type": "static",
    "addresses": [{"address": "10.9.0.7/16", "gateway": "10.9.0.1"}, {"address": "2001:db8::7/64"}],
}


def alone(ipam: object, **keys: object) -> Config:
    return {"type": "static", "ipam": ipam, **keys}


LAYOUTS: dict[str, tuple[Config, dict[str, str]]] = {
    "one": (alone(static("10.9.0.7/16", gateway="10.9.0.1")), {}),
    "dual stack": (alone(BOTH), {}),
    "routes and dns": (
        alone({**BOTH, "routes": ROUTES, "dns": {"nameservers": ["10.9.0.53"], "domain": "example.org"}}),
        {},
    ),
    "CNI_ARGS": (alone({"type": "static"}), {"CNI_ARGS": "IP=10.9.0.9/16;GATEWAY=10.9.0.1"}),
    "CNI_ARGS besides": (alone(static("10.9.0.7/16")), {"CNI_ARGS": "IP=2001:db8::9/64;GATEWAY=2001:db8::1"}),
    "args.cni": (alone(BOTH, args={"cni": {"ips": ["10.9.0.9/16"]}}), {}),
    "runtimeConfig": (alone(BOTH, runtimeConfig={"ips": ["10.9.0.9/16", "2001:db8::9/64"]}), {}),
    "all": (
        alone(BOTH, args={"cni": {"ips": ["10.9.0.8/16"]}}, runtimeConfig={"ips": ["10.9.0.9/16"]}),
        {"CNI_ARGS": "IP=10.9.0.10/16"},
    ),
}


@pytest.mark.parametrize(("config", "environment"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_same_addresses(versions: Versions, config: Config, environment: dict[str, str]) -> None:
    assert versions.attach_and_detach(config, environment=environment) == {}
