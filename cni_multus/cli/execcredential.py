"""Kubeconfigs whose credentials a program fetches (`exec`), for people at a terminal: no pod's request runs one.

client.authentication.k8s.io/v1 and v1beta1: the program is told what is wanted in KUBERNETES_EXEC_INFO, and prints an
ExecCredential. It runs again when that is over, and once when the server does not take it any more.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import ApiFailure, CniError, InvalidNetworkConfig, UnsupportedField
from cni_multus.kube.credentials import clean_token
from cni_multus.kube.kubeconfig import load_kubeconfig
from cni_multus.program import Outcome, foreign_environment, run

if TYPE_CHECKING:
    from cni_multus.kube.credentials import Access
    from cni_multus.kube.kubeconfig import Part

V1 = "client.authentication.k8s.io/v1"
VERSIONS = (V1, "client.authentication.k8s.io/v1beta1")
EXTENSION = "client.authentication.k8s.io/exec"
"""Of a cluster in a kubeconfig: what its programs are told besides."""

NEVER, IF_AVAILABLE, ALWAYS = MODES = ("Never", "IfAvailable", "Always")
PATIENCE = 60.0
"""Seconds that a program has."""
PATIENCE_WITH_PEOPLE = 300.0
"""The same for one that asks somebody at the terminal."""
MOST_SAID = 600


def load_access(path: str) -> Access:
    """The server, and the credentials for it, of a kubeconfig; a program that it names is run for them."""
    return load_kubeconfig(path, execute=_fill)


def _fill(access: Access, told: Part) -> None:
    """Ask the program of a user's `exec`, and set what it gives."""
    version = told.text("apiVersion", needed=True)
    if version not in VERSIONS:
        raise UnsupportedField(f"{told.place('apiVersion')}: {version[:80]!r} is none of {', '.join(VERSIONS)}")
    program = _program(access, told)
    interactive = _is_interactive(told, version)
    environment = {**foreign_environment(os.environ), **{each.text("name"): each.text("value") for each in _env(told)}}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(
        {
            "apiVersion": version,
            "kind": "ExecCredential",
            "spec": {
                **({"cluster": _cluster(access)} if told.flag("provideClusterInfo") else {}),
                "interactive": interactive,
            },
        }
    )
    where = f"{program}, which {told.place('command')} names"
    try:
        ended = (_run_for_people if interactive else _run)(program, environment, told.texts("args"))
    except CniError as error:
        raise ApiFailure(f"{error.message}; {told.place('command')} names it", error.details) from error
    if ended.status:
        said = _line(ended.stderr) or ("see above" if interactive else "it said nothing")
        raise ApiFailure(f"{where}, failed with status {ended.status}: {said}")
    try:
        _take(access, Section(parse_object(ended.stdout, "what it printed")), version)
    except CniError as error:
        said = _line(ended.stderr)
        raise ApiFailure(f"{where}, gave no credentials: {error.message}{f' ({said})' if said else ''}") from error


def _program(access: Access, told: Part) -> str:
    """The program's path: relative to the kubeconfig's directory if it has a '/', else found in PATH."""
    command = told.text("command", needed=True)
    if "/" in command:
        command = os.path.join(os.path.dirname(access.source), command)
    found = shutil.which(command)
    if not found:
        hint = told.text("installHint").strip()
        why = f"there is no program {command!r}{'' if '/' in command else ' in PATH'}"
        raise InvalidNetworkConfig(f"{told.place('command')}: {why}{f'. {hint}' if hint else ''}")
    return os.path.abspath(found)


def _env(told: Part) -> list[Part]:
    found = told.parts("env")
    for each in found:
        if "=" in each.text("name", needed=True):
            raise each.wrong("name", "it has a '='")
    return found


def _is_interactive(told: Part, version: str) -> bool:
    mode = told.text("interactiveMode", needed=version == V1) or IF_AVAILABLE
    if mode not in MODES:
        raise told.wrong("interactiveMode", f"{mode[:80]!r} is none of {', '.join(MODES)}")
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    if mode == ALWAYS and not has_terminal:
        raise told.wrong("interactiveMode", "the program needs a terminal, and standard input is none")
    return mode != NEVER and has_terminal


def _cluster(access: Access) -> dict[str, object]:
    cluster = {
        "server": access.server,
        "tls-server-name": access.server_name,
        "insecure-skip-tls-verify": access.insecure,
        "certificate-authority-data": b64encode(access.authority).decode(),
        "config": _extension(access.source),
    }
    return {key: value for key, value in cluster.items() if value}


def _extension(path: str) -> object:
    """What the current cluster has for its programs: read once more, since to `load_kubeconfig` all of YAML is text."""
    import yaml

    def named(entries: Any, name: object) -> dict[str, Any]:
        return next((each for each in entries or () if str(each.get("name")) == str(name)), {})

    try:
        with open(path, "rb") as file:
            whole = yaml.safe_load(file)
        context = named(whole["contexts"], whole["current-context"])["context"]
        cluster = named(whole["clusters"], context["cluster"])["cluster"]
        found: object = named(cluster.get("extensions"), EXTENSION).get("extension")
        json.dumps(found)
    except (OSError, yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidNetworkConfig(f"the kubeconfig {path}: the extension {EXTENSION}: {error}") from error
    return found


def _run(program: str, environment: dict[str, str], arguments: list[str]) -> Outcome:
    return run(program, environment, b"", PATIENCE, tuple(arguments))


def _run_for_people(program: str, environment: dict[str, str], arguments: list[str]) -> Outcome:
    """Let it use the terminal: standard input and standard error are ours."""
    try:
        with subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.PIPE) as process:
            try:
                stdout, _ = process.communicate(timeout=PATIENCE_WITH_PEOPLE)
            except BaseException:
                process.kill()
                raise
    except subprocess.TimeoutExpired:
        raise ApiFailure(f"{program} did not end within {PATIENCE_WITH_PEOPLE:g} s and was killed") from None
    except (OSError, ValueError) as error:
        raise ApiFailure(f"cannot run {program}: {error}") from error
    return Outcome(process.returncode, stdout, b"")


def _take(access: Access, credential: Section, version: str) -> None:
    """Set what an ExecCredential has; no message shows any of it."""
    if (credential.text("kind"), credential.text("apiVersion")) != ("ExecCredential", version):
        raise InvalidNetworkConfig(f"it is no ExecCredential of {version}")
    status = credential.section("status")
    token, certificate, key = (status.text(name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if bool(certificate) != bool(key):
        raise status.wrong("clientKeyData" if certificate else "clientCertificateData", "missing beside the other one")
    if not token and not certificate:
        raise status.wrong("token", "missing, and there is no clientCertificateData either")
    access.token = clean_token(token.encode("utf-8", "surrogateescape"), "status.token") if token else ""
    access.certificate, access.key = (text.encode("utf-8", "surrogateescape") for text in (certificate, key))
    access.expires = _moment(status)


def _moment(status: Section) -> float:
    said = status.text("expirationTimestamp")
    if not said:
        return 0.0
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise status.wrong("expirationTimestamp", f"{said[:80]!r} is not a time as in RFC 3339")
    return max(1.0, moment.timestamp())


def _line(output: bytes) -> str:
    """What a program said, on one line, the end of it where it is long."""
    text = " ".join(output.decode(errors="replace").split())
    return text if len(text) <= MOST_SAID else f"... {text[-MOST_SAID:]}"
