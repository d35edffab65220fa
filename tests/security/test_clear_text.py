"""Credentials on the wire: no token goes where others could read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.kube.kubeconfig import load_kubeconfig
from tests.kube.configs import TOKEN, config, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("host", ["10.96.0.1", "api.example", "127.0.0.1.example", "127.1", "[fe80::1]", "[::2]"])
@pytest.mark.parametrize("user", ["token", "tokenFile"])
def test_a_token_is_sent_in_clear_to_no_other_host(tmp_path: Path, host: str, user: str) -> None:
    (tmp_path / "secret").write_text(TOKEN)
    document = config(f"http://{host}:8080", **{user: TOKEN if user == "token" else "secret"})
    with pytest.raises(InvalidNetworkConfig, match="clear text") as caught:
        load_kubeconfig(write(tmp_path, document)).bearer()
    assert TOKEN not in str(caught.value) + caught.value.details


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
def test_a_proxy_on_this_host_may_have_it(tmp_path: Path, host: str) -> None:
    assert load_kubeconfig(write(tmp_path, config(f"http://{host}:8001"))).bearer() == TOKEN


def test_without_a_token_nothing_is_told(tmp_path: Path) -> None:
    assert load_kubeconfig(write(tmp_path, config("http://10.96.0.1:8080", username=""))).bearer() == ""
