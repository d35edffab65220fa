"""Kubeconfigs, and a pod's service account: what is read, what is refused, and that no secret is told."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cni_multus.cni.errors import CniError, InvalidNetworkConfig, IoFailure, TryAgainLater
from cni_multus.cni.errors import UnsupportedField as Unsupported
from cni_multus.kube.kubeconfig import load_kubeconfig
from tests.kube.configs import TOKEN, config, write


@pytest.mark.parametrize("style", ["json", "yaml"])
def test_the_current_context_counts(tmp_path: Path, style: str) -> None:
    whole = config("https://API.example:7443/k8s/clusters/c-1/")
    whole["clusters"].insert(0, {"name": "other", "cluster": {"server": "https://other"}})
    access = load_kubeconfig(write(tmp_path, json.dumps(whole) if style == "json" else yaml.safe_dump(whole)))
    assert (access.secure, access.host, access.port, access.prefix) == (
        True,
        "API.example",
        7443,
        "/k8s/clusters/c-1",
    )
    assert (access.namespace, access.bearer(), access.insecure) == ("kube-system", TOKEN, False)


@pytest.mark.parametrize(
    ("server", "parts"),
    [
        ("https://10.0.0.1", (True, "10.0.0.1", 443, "")),
        ("http://localhost:8080", (False, "localhost", 8080, "")),
        ("https://[fd00::1]:6443", (True, "fd00::1", 6443, "")),
        ("https://[fe80::1%eth0]", (True, "fe80::1%eth0", 443, "")),
        ("HTTPS://x/", (True, "x", 443, "")),
    ],
)
def test_servers_are_read(tmp_path: Path, server: str, parts: tuple[bool, str, int, str]) -> None:
    access = load_kubeconfig(write(tmp_path, config(server)))
    assert (access.secure, access.host, access.port, access.prefix) == parts


@pytest.mark.parametrize(
    "server",
    [
        "10.0.0.1:6443",
        "ftp://x",
        "https://",
        "https://:1",
        "https://x:0",
        "https://x:99999",
        "https://x:1:2",
        "https://x y",
        "https://fd00::1",
        "https://[fd00::1]x",
        "https://u:pw@x",
        "https://x/?a",
        "https://x/#a",
        "https://ü",
        "https://x\r\ny",
        "https://x/\r\nEvil: 1",
        "https://x:٣",
    ],
)
def test_a_server_that_is_none_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(InvalidNetworkConfig, match=r"clusters\[0\].cluster.server") as caught:
        load_kubeconfig(write(tmp_path, config(server)))
    assert "pw" not in caught.value.message


def change(whole: dict[str, Any], part: str, **members: Any) -> dict[str, Any]:
    whole[part][0][part[:-1]].update(members)
    return whole


@pytest.mark.parametrize(
    ("part", "members", "error", "key"),
    [
        ("users", {"exec": {"command": "aws"}}, Unsupported, "users[0].user.exec"),
        ("users", {"auth-provider": {"name": "gcp"}}, Unsupported, "users[0].user.auth-provider"),
        ("users", {"username": "me", "password": "pw"}, Unsupported, "users[0].user.username"),
        ("users", {"as": "root"}, Unsupported, "users[0].user.as"),
        ("users", {"as-groups": ["x"]}, Unsupported, "users[0].user.as-groups"),
        ("users", {"token": "two words"}, InvalidNetworkConfig, "users[0].user.token"),
        ("users", {"token": "line\nbreak"}, InvalidNetworkConfig, "users[0].user.token"),
        ("users", {"token": "\ud800"}, InvalidNetworkConfig, "users[0].user.token"),
        ("users", {"token": ["x"]}, InvalidNetworkConfig, "users[0].user.token"),
        ("users", {"client-certificate-data": "eA=="}, InvalidNetworkConfig, "users[0].user.client-key"),
        ("users", {"client-key-data": "eA=="}, InvalidNetworkConfig, "users[0].user.client-certificate"),
        ("users", {"client-key-data": "e"}, InvalidNetworkConfig, "users[0].user.client-key-data"),
        ("users", {"client-certificate": "/no/such"}, IoFailure, "/no/such"),
        ("clusters", {"proxy-url": "http://proxy"}, Unsupported, "clusters[0].cluster.proxy-url"),
        ("clusters", {"server": ""}, InvalidNetworkConfig, "clusters[0].cluster.server"),
        ("clusters", {"server": 1}, InvalidNetworkConfig, "clusters[0].cluster.server"),
        ("clusters", {"certificate-authority": "/no\0such"}, InvalidNetworkConfig, "certificate-authority"),
        ("clusters", {"certificate-authority": "/no\ud800such"}, IoFailure, "that is no path"),
        ("clusters", {"certificate-authority": "/proc"}, IoFailure, "it is a directory"),
        ("clusters", {"insecure-skip-tls-verify": "maybe"}, InvalidNetworkConfig, "insecure-skip-tls-verify"),
        ("clusters", {"tls-server-name": ".x"}, InvalidNetworkConfig, "tls-server-name"),
        ("contexts", {"cluster": "nobody"}, InvalidNetworkConfig, "clusters: there is none called 'nobody'"),
        ("contexts", {"user": "nobody"}, InvalidNetworkConfig, "users: there is none called 'nobody'"),
        ("contexts", {"cluster": ""}, InvalidNetworkConfig, "contexts[0].context.cluster"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, part: str, members: dict[str, Any], error: type[CniError], key: str
) -> None:
    path = write(tmp_path, change(config(), part, **members))
    with pytest.raises(error) as caught:
        load_kubeconfig(path)
    assert key in caught.value.message
    assert path in caught.value.message or error is IoFailure
    assert TOKEN not in caught.value.message


def test_insecure_with_an_authority_is_a_contradiction(tmp_path: Path) -> None:
    members = {"insecure-skip-tls-verify": True, "certificate-authority-data": "eA=="}
    with pytest.raises(InvalidNetworkConfig, match="contradicts"):
        load_kubeconfig(write(tmp_path, change(config(), "clusters", **members)))


@pytest.mark.parametrize("key", ["current-context", "contexts", "clusters", "users"])
def test_what_is_missing_is_named(tmp_path: Path, key: str) -> None:
    whole = config()
    del whole[key]
    with pytest.raises(InvalidNetworkConfig, match=key):
        load_kubeconfig(write(tmp_path, whole))


def test_paths_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_bytes(b"authority")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    whole = change(config(tokenFile="token"), "clusters", **{"certificate-authority": "pki/ca.crt"})
    access = load_kubeconfig(write(tmp_path, whole))
    assert (access.authority, access.bearer()) == (b"authority", TOKEN)


def test_data_goes_before_files(tmp_path: Path) -> None:
    members = {"certificate-authority": "/no/such", "certificate-authority-data": b64encode(b"data").decode()}
    assert load_kubeconfig(write(tmp_path, change(config(), "clusters", **members))).authority == b"data"


def test_a_token_file_goes_before_the_token_and_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    access = load_kubeconfig(write(tmp_path, config(token="given", tokenFile=str(file))))
    assert access.bearer() == "first"
    file.write_text("second\n")
    assert access.bearer() == "second"
    file.unlink()
    assert access.bearer() == "given"


def test_a_token_file_that_is_empty_may_be_about_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(TryAgainLater, match=f"{tmp_path}/token"):
        load_kubeconfig(write(tmp_path, config(tokenFile="token"))).bearer()


def test_a_relative_path_to_a_kubeconfig_is_refused() -> None:
    with pytest.raises(InvalidNetworkConfig, match="absolute"):
        load_kubeconfig("kubeconfig")


def test_a_kubeconfig_that_is_missing_is_a_file_failure(tmp_path: Path) -> None:
    with pytest.raises(IoFailure, match=f"{tmp_path}/nothing"):
        load_kubeconfig(f"{tmp_path}/nothing")


@pytest.mark.parametrize("cut", [0, 1, 20, 100, 200])
@pytest.mark.parametrize("style", ["json", "yaml"])
def test_a_kubeconfig_that_is_being_rewritten_is_waited_for(tmp_path: Path, cut: int, style: str) -> None:
    whole = json.dumps(config()) if style == "json" else yaml.safe_dump(config())
    path = write(tmp_path, whole[:cut])
    # On a timer: half of the pauses later the writer is done.
    writer = threading.Timer(0.08, write, (tmp_path, whole))
    writer.start()
    access = load_kubeconfig(path)
    writer.join()
    assert access.bearer() == TOKEN


@pytest.mark.parametrize("content", ["", " \n", json.dumps(config())[:-5], "a: [", "\x00", "{}}"])
def test_a_kubeconfig_that_stays_cut_off_is_for_later(tmp_path: Path, content: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(TryAgainLater, match=path):
        load_kubeconfig(path)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    write(tmp_path, config(), "real")
    (tmp_path / "link").symlink_to("real")
    assert load_kubeconfig(f"{tmp_path}/link").bearer() == TOKEN


def test_a_token_of_digits_stays_text_in_yaml(tmp_path: Path) -> None:
    text = yaml.safe_dump(config()).replace(TOKEN, "0123456789")
    assert load_kubeconfig(write(tmp_path, text)).bearer() == "0123456789"


def test_nothing_that_has_secrets_shows_them(tmp_path: Path) -> None:
    access = load_kubeconfig(write(tmp_path, config()))
    assert TOKEN not in repr(access) + str(access)


PIECES = st.sampled_from(
    [
        *(line + "\n" for line in yaml.safe_dump(config()).split("\n")),
        *json.dumps(config()).split(" "),
        *(
            "&a ",
            "*a",
            "!!int ",
            "!!timestamp ",
            "<<: ",
            "? ",
            "- " * 300,
            "%YAML 9.9\n",
            "---\n",
            "\ufeff",
        ),
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200) | st.lists(PIECES, max_size=25).map("".join).map(str.encode))
@example(data=b"&a [*a]")
@example(data=b"{" * 5000)
@example(data=b"- " * 5000)
@example(data=b"!!timestamp x")
@example(data=b"? [a]\n: b")
@example(data=b"\xff\xfe[")
def test_any_bytes_are_a_kubeconfig_or_one_error(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    try:
        load_kubeconfig(path, pause=0)
    except CniError as error:
        found = (error.code, error.message)
    else:
        return
    assert found[0] in {2, 5, 7, 11}
    assert "\n" not in found[1]


def test_looking_again_takes_less_than_a_second(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(TryAgainLater):
        load_kubeconfig(write(tmp_path, ""))
    assert time.monotonic() - began < 5  # a bound for a busy machine; the pauses are 0.36 s
