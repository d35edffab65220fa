"""Kubeconfigs whose `exec` names a program: run for an operator's command, and never for a pod's request."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cni_multus.cli import execcredential
from cni_multus.cli.execcredential import load_access
from cni_multus.cli.main import run
from cni_multus.cni.errors import ApiFailure, CniError, UnsupportedField
from cni_multus.kube.client import Client
from cni_multus.kube.deadline import Deadline
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.kube.objects import PODS
from tests.cli.ipam.operator import Operator
from tests.cli.terminal import LAUNCHER, ROOT
from tests.cluster.cluster import rule

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster

V1, V1BETA1 = execcredential.VERSIONS
PROGRAM = """#!{python} -ISE
import json, os, sys, time
told = json.load(open({told!r}))
with open({calls!r}, "a") as calls:
    info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
    env = {{key: value for key, value in os.environ.items() if key.startswith(("MY_", "LD_", "_MEI"))}}
    calls.write(json.dumps([sys.argv[1:], info, env, sys.stdin.isatty()]) + "\\n")
    number = calls.tell() and sum(1 for _ in open({calls!r}))
time.sleep(told.get("sleep", 0))
if told.get("asks"):
    sys.stderr.write("password: ")
    sys.stderr.flush()
    assert sys.stdin.readline() == "secret\\n"
print(told.get("stderr", ""), end="", file=sys.stderr)
print(told["stdout"][min(number, len(told["stdout"]) - 1)] if isinstance(told["stdout"], list) else told["stdout"])
sys.exit(told.get("status", 0))
"""


class Fetching:
    """A kubeconfig with a program beside it."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.program = directory / "bin" / "fetch"
        self.path = directory / "kubeconfig"
        self._told, self._calls = directory / "told.json", directory / "calls"
        self.program.parent.mkdir()
        self.program.write_text(PROGRAM.format(python=sys.executable, told=str(self._told), calls=str(self._calls)))
        self.program.chmod(0o755)
        self._calls.write_text("")
        self.write()

    def write(self, server: str = "", style: str = "json", cluster: Any = None, **user: Any) -> None:
        """The kubeconfig; `user` is laid over what the `exec` has."""
        whole = yaml.safe_load(self.cluster.kubeconfig(server=server).read_text())
        plugin = {"apiVersion": V1, "command": "./bin/fetch", "interactiveMode": "Never", **user}
        whole["users"][0]["user"] = {"exec": {key: value for key, value in plugin.items() if value is not None}}
        whole["clusters"][0]["cluster"].update(cluster or {})
        self.path.write_text(json.dumps(whole) if style == "json" else yaml.safe_dump(whole))

    def gives(self, *status: dict[str, Any], version: str = V1, **more: Any) -> None:
        """What the program prints: the last of several credentials for ever."""
        kind = {"kind": "ExecCredential", "apiVersion": version}
        printed = [json.dumps({**kind, "status": each}) for each in status]
        self.does(stdout=["", *printed], **more)

    def does(self, **what: Any) -> None:
        self._told.write_text(json.dumps({"stdout": "", **what}))

    @property
    def calls(self) -> list[Any]:
        """Arguments, information, environment and whether there was a terminal, of each call."""
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    def client(self, seconds: float = 10) -> Client:
        return Client(load_access(str(self.path)), Deadline(seconds))

    def get(self) -> Any:
        """What is asked of the server by these credentials."""
        with self.client() as client:
            return list(client.list(PODS.path(self.cluster.namespace)))

    def refused(self) -> str:
        with pytest.raises(CniError) as caught:
            self.client()
        return caught.value.message


@pytest.fixture
def fetching(cluster: Cluster, tmp_path: Path) -> Fetching:
    return Fetching(cluster, tmp_path)


def test_an_operator_s_command_runs_it(
    fetching: Fetching, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "node").mkdir()
    operator = Operator(tmp_path / "node", capsys)
    operator.kubeconfig = str(fetching.path)
    cluster.add_pool("10.9.0.0-16", "10.9.0.0/16", {})
    fetching.gives({"token": cluster.server.token})
    assert [pool["pool"] for pool in operator.json("show")["pools"]] == ["10.9.0.0-16"]
    places = [f"--kubeconfig={fetching.path}", f"--data-dir={tmp_path}/data", f"--conf-dir={tmp_path}"]
    assert run("multus", ["ipam", "reconcile", "--dry-run", *places]) == 0
    assert fetching.calls[0][1] == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False}}
    fetching.does(status=3, stderr="not logged in\ntry: login\n")
    capsys.readouterr()
    for command, arguments in (("show", operator.places), ("reconcile", places)):
        assert run("multus", ["ipam", command, *arguments]) in (3, 4)
        said = capsys.readouterr().err
        assert f"{tmp_path}/bin/fetch" in said
        assert "status 3: not logged in try: login" in said


def test_a_pod_s_request_runs_nothing(fetching: Fetching) -> None:
    fetching.gives({"token": "x"})
    with pytest.raises(UnsupportedField, match=r"users\[0\].user.exec: programs that fetch credentials are not run"):
        load_kubeconfig(str(fetching.path))
    assert fetching.calls == []


@pytest.mark.parametrize("style", ["json", "yaml"])
def test_it_is_told_what_kubectl_tells(fetching: Fetching, style: str) -> None:
    config = {"audience": "x", "number": 7, "yes": True}
    fetching.gives({"token": fetching.cluster.server.token}, version=V1BETA1)
    fetching.write(
        style=style,
        apiVersion=V1BETA1,
        interactiveMode=None,
        provideClusterInfo=True,
        args=["get-token", "", "a b"],
        env=[{"name": "MY_PROFILE", "value": "prod"}, {"name": "MY_EMPTY", "value": ""}],
        cluster={"extensions": [{"name": "client.authentication.k8s.io/exec", "extension": config}]},
    )
    fetching.get()
    [(arguments, info, environment, terminal)] = fetching.calls
    assert arguments == ["get-token", "", "a b"]
    assert environment == {"MY_PROFILE": "prod", "MY_EMPTY": ""}
    assert not terminal
    cluster = info["spec"].pop("cluster")
    assert info == {"apiVersion": V1BETA1, "kind": "ExecCredential", "spec": {"interactive": False}}
    written = yaml.safe_load(fetching.path.read_text())["clusters"][0]["cluster"]
    assert cluster == {
        "server": written["server"],
        "certificate-authority-data": written["certificate-authority-data"],
        "config": config,
    }


def test_a_client_certificate_serves_as_well(fetching: Fetching) -> None:
    made = fetching.cluster.certificate("operator", "system:masters")
    certificate, key = made.certificate.read_text(), made.key.read_text()
    fetching.gives({"clientCertificateData": certificate, "clientKeyData": key})
    fetching.get()


def test_it_runs_once_for_many_questions(fetching: Fetching) -> None:
    fetching.gives({"token": fetching.cluster.server.token, "expirationTimestamp": "2999-01-01T00:00:00Z"})
    with fetching.client() as client:
        for _ in range(3):
            list(client.list(PODS.path(fetching.cluster.namespace)))
    assert len(fetching.calls) == 1


def test_a_token_that_is_not_taken_is_fetched_once_more(fetching: Fetching) -> None:
    fetching.gives({"token": "worn-out"}, {"token": fetching.cluster.server.token})
    fetching.get()
    assert len(fetching.calls) == 2
    fetching.gives({"token": "never-good"})
    with pytest.raises(ApiFailure, match="401") as caught:
        fetching.get()
    assert "never-good" not in caught.value.message
    assert len(fetching.calls) == 4


def test_one_that_is_over_is_fetched_again(fetching: Fetching) -> None:
    soon = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 2))
    good = {"token": fetching.cluster.server.token}
    fetching.gives({**good, "expirationTimestamp": soon}, good)
    with fetching.client() as client:
        path = PODS.path(fetching.cluster.namespace)
        list(client.list(path))
        assert len(fetching.calls) == 1
        time.sleep(2.1)
        for _ in range(2):
            list(client.list(path))
    assert len(fetching.calls) == 2


def test_what_stands_in_the_file_counts(fetching: Fetching) -> None:
    whole = json.loads(fetching.path.read_text())
    whole["users"][0]["user"]["token"] = fetching.cluster.server.token
    fetching.path.write_text(json.dumps(whole))
    fetching.get()
    assert fetching.calls == []


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (
            {"apiVersion": "client.authentication.k8s.io/v1alpha1"},
            "exec.apiVersion: 'client.authentication.k8s.io/v1alpha1' is none",
        ),
        ({"apiVersion": None}, "exec.apiVersion: missing"),
        ({"command": None}, "exec.command: missing"),
        (
            {"command": "no-such-program", "installHint": "Get it\nthere."},
            "no program 'no-such-program' in PATH. Get it\nthere.",
        ),
        ({"command": "./nowhere"}, "nowhere'"),
        ({"command": ["x"]}, "exec.command: not a string"),
        ({"args": "x"}, "exec.args: not a list"),
        ({"args": [7]}, "exec.args: not a list of strings"),
        ({"args": ["a\0b"]}, "null byte"),
        ({"env": [7]}, "exec.env[0]: not an object"),
        ({"env": [{"value": "x"}]}, "exec.env[0].name: missing"),
        ({"env": [{"name": "A=B"}]}, "exec.env[0].name: it has a '='"),
        ({"interactiveMode": None}, "exec.interactiveMode: missing"),
        ({"interactiveMode": "Sometimes"}, "exec.interactiveMode: 'Sometimes' is none of Never, IfAvailable, Always"),
        ({"interactiveMode": "Always"}, "needs a terminal"),
        ({"provideClusterInfo": "perhaps"}, "exec.provideClusterInfo: neither true nor false"),
    ],
)
def test_what_cannot_be_run_is_told_with_its_place(fetching: Fetching, user: dict[str, Any], said: str) -> None:
    fetching.gives({"token": "x"})
    fetching.write(**user)
    assert said in fetching.refused()
    assert fetching.calls == []


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", "is empty"),
        ("Please log in", "is not JSON"),
        ("[]", "not a JSON object"),
        ({"kind": "Status"}, "no ExecCredential"),
        ({"apiVersion": V1BETA1}, f"no ExecCredential of {V1}"),
        ({"status": None}, "status.token: missing"),
        ({"status": []}, "status must be an object"),
        ({"status": {"token": ""}}, "status.token: missing"),
        ({"status": {"token": 7}}, "status.token must be a string"),
        ({"status": {"token": "tok en"}}, "status.token"),
        ({"status": {"clientCertificateData": "x"}}, "status.clientKeyData: missing"),
        ({"status": {"clientKeyData": "x"}}, "status.clientCertificateData: missing"),
        ({"status": {"token": "secret", "expirationTimestamp": "soon"}}, "'soon' is not a time"),
        ({"status": {"token": "secret", "expirationTimestamp": "2999-01-01T00:00:00"}}, "is not a time"),
        ({"status": {"token": "secret", "expirationTimestamp": 7}}, "expirationTimestamp must be a string"),
    ],
)
def test_what_is_no_credential_is_told_and_not_shown(fetching: Fetching, printed: Any, said: str) -> None:
    if isinstance(printed, dict):
        printed = json.dumps({"kind": "ExecCredential", "apiVersion": V1, **printed})
    fetching.does(stdout=printed, stderr="careful")
    message = fetching.refused()
    assert said in message
    assert str(fetching.program) in message
    assert "(careful)" in message
    assert "secret" not in message
    assert len(fetching.calls) == 1


def test_one_that_fails_is_told_with_what_it_said(fetching: Fetching) -> None:
    fetching.does(status=1, stderr="x" * 2000 + "\nERROR: expired\n")
    message = fetching.refused()
    assert message.endswith("x ERROR: expired")
    assert len(message) < 1200
    fetching.does(status=1)
    assert "failed with status 1: it said nothing" in fetching.refused()
    fetching.program.write_text("#!/nowhere/python\n")
    assert "interpreter" in fetching.refused()
    fetching.program.write_text("#!/bin/sh\nkill -9 $$\n")
    assert "status -9" in fetching.refused()


def test_one_that_does_not_end_is_killed(fetching: Fetching) -> None:
    """As a process of its own, in which the time that programs have is short."""
    fetching.does(sleep=60)
    script = "import sys; from cni_multus.cli import execcredential as e; e.PATIENCE = 0.5; e.load_access(sys.argv[1])"
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", script, str(fetching.path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert time.monotonic() - begun < 10
    assert "did not end within 0.5 s and was killed" in ended.stderr
    assert "exec.command" in ended.stderr


def test_at_a_terminal_it_may_ask(fetching: Fetching, tmp_path: Path) -> None:
    fetching.gives({"token": fetching.cluster.server.token}, asks=True)
    fetching.write(interactiveMode="Always")
    command = [sys.executable, "-c", LAUNCHER.format(root=str(ROOT)), "ipam", "show", f"--kubeconfig={fetching.path}"]
    command += [f"--data-dir={tmp_path}/data", f"--conf-dir={tmp_path}", f"--host-local-dir={tmp_path}/h"]
    primary, secondary = pty.openpty()
    os.write(primary, b"secret\n")
    with os.fdopen(primary, "rb", buffering=0), os.fdopen(secondary, "rb", buffering=0) as terminal:
        ended = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "password: " in ended.stderr
    [(_, info, _, had_terminal)] = fetching.calls
    assert info["spec"]["interactive"] is True
    assert had_terminal


def test_the_account_s_rights_hold(fetching: Fetching) -> None:
    fetching.gives({"token": fetching.cluster.token(rule("secrets", "get"))})
    with pytest.raises(ApiFailure, match="403"):
        fetching.get()
