"""What cannot be looked at: missing capabilities, an API server that says no, a check that hangs or fails itself."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cni_multus.cli.command import DONE, FOUND, PARTIAL, USAGE
from cni_multus.cli.doctor import registry
from cni_multus.cli.doctor.examination import examine
from cni_multus.cli.doctor.finding import Check, Finding
from cni_multus.cli.doctor.patient import Patient
from cni_multus.cli.site import Site
from cni_multus.cni.config import Section
from cni_multus.cni.request import Request
from cni_multus.multus.settings import Settings
from tests.cli.doctor.illnesses.api import jwt, kubeconfig
from tests.cli.doctor.illnesses.illness import on_the_node, reconfigure
from tests.cluster.cluster import rule
from tests.conftest import LIBC, MS_BIND, checked

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.doctor.conftest import Ward
    from tests.cluster.cluster import Cluster

WITHOUT = {
    "-sys_admin": "CAP_SYS_ADMIN",
    "-net_admin": "CAP_NET_ADMIN",
    "-dac_override,-dac_read_search": "CAP_DAC_READ",
}


@pytest.mark.parametrize("dropped", WITHOUT)
def test_a_missing_capability_is_named(ill: Ward, dropped: str, tmp_path: Path) -> None:
    if "dac" in dropped:
        (ill.cni_dir / "journal").chmod(0)
    command = ["setpriv", f"--bounding-set={dropped}", *ill.command("multus"), "doctor", *ill.places, "--no-api"]
    done = subprocess.run(
        ["nsenter", f"--net={ill.host.path}", *command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode in (PARTIAL, FOUND), done
    assert WITHOUT[dropped] in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "leaked" not in done.stdout


def test_a_node_without_anything(node: Ward, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    node.networks, node.bin_dir, node.addresses = nowhere / "net.d", nowhere / "bin", nowhere / "addresses"
    ended = node.doctor()
    assert ended.status == FOUND
    assert " conf-missing: " in ended.stdout.splitlines()[0]
    assert "leaks are not looked for" in ended.stderr
    assert node.doctor("--root", str(tmp_path)).status == FOUND


def test_rubbish_everywhere(ill: Ward) -> None:
    for path in (*ill.networks.iterdir(), *ill.defined.iterdir(), *(ill.cni_dir / "journal").iterdir()):
        if path.is_file():
            path.write_bytes(b"\xff\x00{[")
    (ill.bin_dir / ".multus" / "installed.json").write_text("[]")
    for form in ("table", "wide", "json", "yaml"):
        ended = ill.doctor("-o", form)
        assert ended.status == FOUND
        assert "Traceback" not in ended.stdout + ended.stderr
        assert "\x00" not in ended.stdout
    assert " conf-broken: " in ill.doctor().stdout.splitlines()[0]


def patient_of(arguments: argparse.Namespace) -> Patient:
    nothing = Section({})
    settings = Settings(Request("STATUS", nothing, {}), tolerant=True)
    return Patient(Site("/", "/x", "/x", "/x", "/x", nothing, settings), arguments)


def test_a_check_that_hangs_or_fails_stops_no_other() -> None:
    import argparse

    forever = threading.Event()

    def hang(_: Patient) -> Iterator[Finding]:
        yield Finding("error", "what was found before", [], "", "")
        forever.wait()

    def fail(_: Patient) -> Iterator[Finding]:
        raise KeyError("x")

    def work(_: Patient) -> Iterator[Finding]:
        yield Finding("warning", "found", [], "", "")

    checks = [Check(look.__name__, "", look) for look in (hang, fail, work)]
    examined = list(examine(patient_of(argparse.Namespace()), checks, patience=0.05))
    forever.set()
    assert [each.trouble for each in examined] == ["it has not ended after 0.05 s", "KeyError: 'x'", ""]
    assert [finding.check for each in examined for finding in each.findings] == ["hang", "work"]


def test_many_of_a_kind_do_not_hide_the_others(ill: Ward) -> None:
    for number in range(40):
        (ill.run_dir / "netns" / f"cni-{number:02}").touch()
    on_the_node(ill, "ip link set up0 down")
    ended = ill.doctor()
    assert ended.stdout.count(" netns-file: ") == 10
    assert "30 more of netns-file (-o wide)" in ended.stdout
    assert " master-down: " in ended.stdout
    assert len(ill.findings()) == 41


def test_what_cannot_be_typed(node: Ward) -> None:
    ended = node.doctor("--only", "nonsense")
    assert (ended.status, ended.stdout) == (USAGE, "")
    assert "no check 'nonsense'" in ended.stderr
    assert node.doctor("--dry-run").status == USAGE


def test_the_list_has_every_check(node: Ward) -> None:
    listed = json.loads(node.doctor("--list", "-o", "json").stdout)["checks"]
    assert [each["id"] for each in listed] == [check.id for check in registry.CHECKS]
    assert len({each["id"] for each in listed}) == len(listed)


def test_forms_for_programs(ill: Ward) -> None:
    on_the_node(ill, "ip link set up0 down")
    document = json.loads(ill.doctor("-o", "json", "--fix").stdout)
    assert document["findings"][0]["check"] == "master-down"
    assert {each["state"] for each in document["checks"]} == {"found", "in order"}
    assert "finding: link up0 is down" in ill.doctor("-o", "yaml").stdout


def test_an_account_without_rights(ill: Ward, cluster: Cluster) -> None:
    road = cluster.road(ill.host.path)
    everything = [  # as conf/deploy has it: to list definitions takes another account
        rule("pods", "get"),
        rule("pods/status", "patch"),
        rule("network-attachment-definitions", "get"),
        rule("events", "create,patch"),
    ]
    first = ""
    for rules in (everything, everything[:1]):
        token = cluster.token(*rules, cluster_wide=True)
        path = cluster.kubeconfig(server=road.url, token=token)
        path.chmod(0o600)
        reconfigure(ill, kubeconfig=str(path))
        ended = ill.doctor()
        assert token not in ended.stdout + ended.stderr
        if rules is everything:
            assert ended.status == DONE, ended.stdout + ended.stderr
        first = ended.stdout.splitlines()[0]
    assert " api-rights: " in first
    assert "may not get network-attachment-definitions" in first


def test_definitions_that_the_api_server_does_not_know(ill: Ward, cluster: Cluster) -> None:
    road = cluster.road(ill.host.path)
    path = cluster.kubeconfig(server=road.url)
    path.chmod(0o600)
    reconfigure(ill, kubeconfig=str(path))
    road.disturb("GET", "/network-attachment-definitions", times=9, answer=(404, "404 page not found", {}))
    assert " api-definitions: " in ill.doctor().stdout.splitlines()[0]


def test_a_token_that_nobody_renews(node: Ward) -> None:
    kubeconfig(node, jwt(exp=time.time() + 100))
    [finding] = node.findings("--only", "api-token")
    assert finding["severity"] == "warning"
    assert "expires in 1 min" in finding["finding"]


def test_a_token_that_everybody_may_read(node: Ward) -> None:
    kubeconfig(node, jwt(exp=time.time() + 3600))
    token = node.networks / "multus.d" / "token"
    token.chmod(0o644)
    [finding] = node.findings("--only", "modes")
    assert str(token) in finding["finding"]
    assert node.doctor("--only", "modes", "--fix").status == DONE
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_mount_that_namespaces_do_not_reach(node: Ward, tmp_path: Path) -> None:
    netns = tmp_path / "elsewhere" / "run" / "netns"
    netns.mkdir(parents=True)
    node.mounts.append(lambda: checked(LIBC.mount(bytes(node.run_dir), bytes(netns), None, MS_BIND, None)))
    [finding] = node.findings("--only", "netns-mount", "--root", str(tmp_path / "elsewhere"))
    assert "HostToContainer" in finding["mend"]


def test_another_ca_and_a_token_of_nobody(ill: Ward, cluster: Cluster) -> None:
    road = cluster.road(ill.host.path)
    kubeconfig(ill, jwt(sub="nobody", exp=2e9), server=road.url)
    first = ill.doctor().stdout.splitlines()[0]
    assert " api-reach: " in first
    assert "does not take the token" in first
    path = ill.networks / "multus.d" / "multus.kubeconfig"
    document = json.loads(path.read_text())
    document["clusters"][0]["cluster"].pop("insecure-skip-tls-verify")
    path.write_text(json.dumps(document))
    first = ill.doctor().stdout.splitlines()[0]
    assert "certificate of the API server" in first
