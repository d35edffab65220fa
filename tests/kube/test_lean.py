"""What a request that needs the API server imports for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.pki import Authority
from tests.kube.configs import config, write
from tests.kube.lying import LyingServer
from tests.kube.talking import OK, POOL_PATH
from tests.kube.test_tls import spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, stat, sys, time
sys.path[:0] = sys.argv[2:]
before = set(sys.modules)
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
with Client(load_kubeconfig(sys.argv[1]), Deadline(10)) as client:
    client.get(PATH)
    client.patch(PATH, [])
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("cni_multus")))
""".replace("PATH", repr(POOL_PATH))
C_HALVES = {"_json", "_socket", "_ssl", "binascii", "errno", "select"}


def imported(kubeconfig: str, path: Sequence[str] = ()) -> set[str]:
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, kubeconfig, str(ROOT), *path]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_http_and_json_need_nothing_but_c_modules(tmp_path: Path, host: str) -> None:
    authority = Authority(tmp_path / "authority")
    certificate = authority.issue(tmp_path, "/CN=server", "IP:127.0.0.1,DNS:localhost")
    with LyingServer(OK, tls=spoken(certificate)) as server:
        whole = config(server.url.replace("127.0.0.1", host))
        whole["clusters"][0]["cluster"]["certificate-authority"] = str(authority.ca)
        assert imported(write(tmp_path, whole)) <= C_HALVES | {"__future__"}


def test_yaml_is_imported_for_a_kubeconfig_that_needs_it(tmp_path: Path) -> None:
    packages = str(Path(yaml.__file__).parents[1])
    with LyingServer(OK) as server:
        assert "yaml" in imported(write(tmp_path, yaml.safe_dump(config(server.url))), [packages])
