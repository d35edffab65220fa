"""The service account of a pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_multus.cni.errors import InvalidEnvironment, IoFailure
from cni_multus.kube.credentials import in_cluster
from tests.kube.configs import TOKEN


def account(directory: Path, token: str = TOKEN) -> dict[str, str]:
    for name, content in {"token": token, "ca.crt": "authority", "namespace": "kube-system\n"}.items():
        (directory / name).write_text(content)
    return {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_has_its_service_account(tmp_path: Path) -> None:
    access = in_cluster(account(tmp_path), str(tmp_path))
    assert (access.server, access.namespace, access.bearer()) == ("https://10.96.0.1:443", "kube-system", TOKEN)
    assert access.authority == b"authority"


def test_a_service_address_may_be_ipv6(tmp_path: Path) -> None:
    environment = account(tmp_path) | {"KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert in_cluster(environment, str(tmp_path)).host == "fd00::1"


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"])
def test_outside_of_a_pod_that_is_said(tmp_path: Path, missing: str) -> None:
    environment = account(tmp_path)
    del environment[missing]
    with pytest.raises(InvalidEnvironment, match=missing):
        in_cluster(environment, str(tmp_path))


def test_a_service_account_that_is_not_mounted_is_a_file_failure(tmp_path: Path) -> None:
    environment = account(tmp_path)
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(IoFailure, match="cannot read"):
        in_cluster(environment, str(tmp_path))


def test_an_account_s_service_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidEnvironment, match="KUBERNETES_SERVICE_HOST"):
        in_cluster(account(tmp_path) | {"KUBERNETES_SERVICE_PORT": "x"}, str(tmp_path))
