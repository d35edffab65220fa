"""Secrets planted wherever credentials come from, and looked for in all that is told or kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import entered
from tests.kube.lying import LyingServer, answer, refusal
from tests.nodes.machine import CERTIFICATE, NET_D, Machine
from tests.security.asking import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod


def encoded(data: bytes) -> str:
    return b64encode(data).decode()


SECRET = "s3cr3t-t0k3n-of-th3-n0d3"
ENCODED = encoded(SECRET.encode())
KEY = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"
CREDENTIALS: dict[str, dict[str, Any]] = {
    "a token": {"token": SECRET},
    "a token's file": {"tokenFile": "token"},
    "a token of two lines": {"token": f"{SECRET}\n{SECRET}"},
    "a token that is no text": {"token": [SECRET]},
    "a key": {
        "client-certificate-data": b64encode(CERTIFICATE).decode(),
        "client-key-data": b64encode(KEY.encode()).decode(),
    },
    "a key's file": {"client-certificate": "certificate", "client-key": "key"},
    "a key that is not base64": {"client-certificate-data": "x", "client-key-data": f"!{SECRET}"},
    "a password": {"username": "us", "password": SECRET},
    "a program": {"exec": {"command": SECRET, "args": [SECRET], "env": [{"name": "X", "value": SECRET}]}},
}
SAID = f"what is Authorization: Bearer {SECRET} or {SECRET}?"
ANSWERS = {
    "refused": refusal(403, "Forbidden", SAID),
    "unknown": refusal(401, "Unauthorized", SAID),
    "failed": answer(500, SAID.encode()),
    "no object": answer(200, {"kind": SAID, "metadata": {"name": SECRET}}),
    "no JSON": answer(200, SAID.encode()),
}


def hidden(*shown: str | bytes) -> None:
    for each in shown:
        text = each if isinstance(each, str) else each.decode(errors="replace")
        assert SECRET not in text, text[max(0, text.index(SECRET) - 300) :][:700]
        assert ENCODED[:20] not in text


def kept(directory: Path) -> str:
    """All that files of a directory say, names included."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            found.append(path)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found.append(file.read().decode(errors="replace"))
    return "\n".join(found)


def kubeconfig(directory: Path, server: str, user: dict[str, Any], *, torn: bool = False) -> str:
    directory.mkdir(exist_ok=True)
    for name, content in (("token", SECRET), ("key", KEY), ("certificate", CERTIFICATE.decode())):
        (directory / name).write_text(content)
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    text = json.dumps(document)
    (directory / "kubeconfig").write_text(text.replace('"contexts"', "]" if torn else '"contexts"'))
    return str(directory / "kubeconfig")


@pytest.mark.parametrize("what", [*CREDENTIALS, "a torn file"])
def test_no_request_tells_how_it_is_known(node: Node, pod: Pod, tmp_path: Path, what: str) -> None:
    """Errors, the log, the journal and the spool, whatever the server makes of the credentials."""
    log = tmp_path / "log"
    subprocess.run(["nsenter", f"--net={node.host.path}", "ip", "link", "set", "lo", "up"], check=True)
    user = CREDENTIALS.get(what, {"token": SECRET})
    for said, lie in ANSWERS.items() if what == "a token" else [("refused", refusal(403, "Forbidden"))]:
        with entered(node.host.path):
            listening = LyingServer(lie)
        with listening as server:
            path = kubeconfig(tmp_path / "credentials", server.url, user, torn=what == "a torn file")
            more = {"kubeconfig": path, "apiTimeout": 1, "logLevel": "debug", "logFile": str(log)}
            ipam = {"type": "whereabouts", "range": "10.9.0.0/24", "kubernetes": {"kubeconfig": path}}
            leased = node.macvlan("leased", ipam={**ipam, "dataDir": str(node.leases)})
            delegates = [node.bridge()], [leased]
            for config in [node.config(*each, **more) for each in (delegates if said == "refused" else delegates[:1])]:
                for command in ("ADD", "DEL", "STATUS"):
                    shown = node.call(command, config, None if command == "STATUS" else pod, K8S_SECRET=SECRET)
                    hidden(shown.stdout, shown.stderr)
                    assert command != "ADD" or shown.status, said
            if user in (CREDENTIALS["a token"], CREDENTIALS["a token's file"]) and what != "a torn file":
                assert {each.headers["authorization"] for each in server.requests} == {f"Bearer {SECRET}"}
    hidden(log.read_text(), kept(node.cni_dir), kept(node.leases))
    assert NAMESPACE in log.read_text()


@pytest.mark.parametrize(
    "printed", [SECRET, json.dumps({"kind": "ExecCredential", "status": {"token": SECRET + "\n" + SECRET}})]
)
def test_no_command_tells_what_a_program_gave_it(tmp_path: Path, printed: str) -> None:
    script = tmp_path / "fetch"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n")
    script.chmod(0o755)
    user = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    }
    with LyingServer(ANSWERS["refused"]) as server:
        path = kubeconfig(tmp_path / "credentials", server.url, user)
        for form in ("table", "json"):
            shown = run("ipam", "show", "--kubeconfig", path, "--data-dir", str(tmp_path / "none"), "-o", form)
            hidden(shown.stdout, shown.stderr)
            assert shown.returncode


def test_no_dry_run_and_no_installation_shows_the_token(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.renew(SECRET)
    for dry in (True, False):
        changes = machine.install(dry=dry)
        assert changes
        hidden(*map(repr, changes))
    assert machine.at(f"{NET_D}/multus.d/token").read_text() == SECRET
    secret = machine.at(f"{NET_D}/multus.d/token")
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.unlink()
    hidden(kept(machine.root))  # the kubeconfig names the file; the receipt knows sums alone
    options = (
        "--root",
        str(machine.root),
        "--service-account",
        str(machine.account),
        "--api-server",
        "https://10.0.0.1",
    )
    for command in (("configure", "--dry-run"), ("install", "--dry-run"), ("install",), ("uninstall", "--dry-run")):
        for form in ("table", "json"):
            shown = run("node", *command, *(options if command[0] == "install" else options[:2]), "-o", form)
            hidden(shown.stdout, shown.stderr)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SECRET": SECRET}
    command = [sys.executable, "-m", "cni_multus", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
