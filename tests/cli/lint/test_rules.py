"""Every rule, by the smallest thing that breaks it: where it is found, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_multus.cli.lint.api import Document, Options, lint
from cni_multus.cli.lint.rules import RULES
from tests.cli.lint.kit import found

RANGE = {"subnet": "10.1.0.0/24"}
POOL = {"type": "host-local", **RANGE}
NETWORKS = "k8s.v1.cni.cncf.io/networks"


def network(*plugins: dict[str, Any], **members: Any) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": "n", "plugins": list(plugins), **members})


def one(kind: str, **members: Any) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": members.pop("name", "n"), "type": kind, **members})


def definition(name: str, config: str, namespace: str = "a") -> str:
    return (
        "apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  config: |\n    {config}\n"
    )


def pod(networks: str) -> str:
    quoted = json.dumps(networks)
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  namespace: a\n  annotations:\n    {NETWORKS}: {quoted}\n"
    )


def multus(**members: Any) -> str:
    own = {"cniVersion": "1.0.0", "name": "m", "type": "multus"}
    return json.dumps({**own, "delegates": [{"cniVersion": "1.0.0", "name": "d", "type": "loopback"}], **members})


MACVLAN = {"type": "macvlan", "master": "eth0"}
EVERYWHERE = {**POOL, "routes": [{"dst": "0.0.0.0/0"}]}

CASES: dict[str, list[str]] = {
    "json-syntax": ['{"cniVersion": "1.0.0" "name": "n"}'],
    "yaml-syntax": ["a: [b\nc: d\n"],
    "yaml-tab": ["a:\n  b: c\n\td: e\n"],
    "yaml-octal": [definition("n", one("loopback")).replace("name: n", "name: n, labels: {a: 010}")],
    "yaml-word": [definition("n", one("loopback")).replace("name: n", "name: n, labels: {a: on}")],
    "duplicate-key": [one("loopback")[:-1] + ', "name": "m"}'],
    "template": ["a: {{ .Values.a }}: b\n"],
    "unknown-kind": ['{"a": 1}'],
    "bad-type": [one("macvlan", mtu="1500")],
    "bad-value": [one("macvlan", mode="brige")],
    "missing-key": [one("vlan", vlanId=5, ipam=POOL)],
    "bad-name": [one("loopback", name="a b")],
    "interface-name": [one("bridge", bridge="a-name-that-is-too-long")],
    "bad-version": [json.dumps({"cniVersion": "2.0.0", "name": "n", "type": "loopback"})],
    "range-overlap": [one("macvlan", ipam={"type": "host-local", "ranges": [[RANGE], [RANGE]]})],
    "range-outside": [one("macvlan", ipam={**POOL, "rangeStart": "10.2.0.1"})],
    "range-empty": [one("macvlan", ipam={**POOL, "exclude": ["10.1.0.0/24"]})],
    "unsupported": [one("ipvlan", mac="02:00:00:00:00:01", ipam=POOL)],
    "chained-first": [network({"type": "tuning"})],
    "not-ipam": [one("macvlan", ipam={"type": "bridge"})],
    "too-much": [definition("n", network(*[{"type": "loopback"}] * 65))],
    "foreign-path": [definition("n", one("macvlan", ipam={**POOL, "dataDir": "/etc"}))],
    "recursion": [multus(delegates=[{"cniVersion": "1.0.0", "name": "d", "plugins": [{"type": "multus"}]}])],
    "not-text": [definition("n", "").replace("|", "{type: bridge}")],
    "bad-annotation": [pod("a@b@c")],
    "same-interface": [pod('[{"name": "a", "interface": "x"}, {"name": "b", "interface": "x"}]')],
    "default-route-twice": [
        pod('[{"name": "a", "default-route": ["10.0.0.1"]}, {"name": "b", "default-route": ["10.1.0.1"]}]')
    ],
    "isolation": [multus(namespaceIsolation=True), pod("b/n")],
    "unknown-key": [one("macvlan", mater="eth0")],
    "key-case": [one("macvlan", Master="eth0")],
    "ignored-key": [one("macvlan", ipam={"type": "whereabouts", "range": "10.1.0.0/24", "log_file": "/x"})],
    "unknown-type": [one("macvlam")],
    "unknown-capability": [one("macvlan", capabilities={"ip": True})],
    "idle-capability": [one("macvlan", capabilities={"portMappings": True})],
    "no-version": ['{"name": "n", "type": "loopback"}'],
    "version-mixture": [network({**MACVLAN, "cniVersion": "0.4.0"})],
    "no-addresses": [one("macvlan", ipam={"subnet": "10.1.0.0/24"})],
    "gateway-outside": [one("macvlan", ipam={**POOL, "gateway": "10.2.0.1"})],
    "exclude-outside": [one("macvlan", ipam={**POOL, "exclude": ["10.2.0.0/24"]})],
    "route-outside": [one("macvlan", ipam={**POOL, "routes": [{"dst": "10.9.0.0/16", "gw": "10.2.0.1"}]})],
    "default-route": [definition("n", one("macvlan", ipam=EVERYWHERE))],
    "default-routes-fight": [
        definition("n", one("macvlan", ipam=EVERYWHERE)),
        definition("m", one("macvlan", name="m", ipam={**EVERYWHERE, "subnet": "10.2.0.0/24"})),
        pod("n,m"),
    ],
    "shared-range": [one("macvlan", ipam=POOL), one("macvlan", name="m", ipam=POOL)],
    "vlan-zero": [one("vlan", master="eth0", ipam=POOL)],
    "vlan-twice": [
        one("vlan", master="eth0", vlanId=5, ipam=POOL),
        one("vlan", name="m", master="eth0", vlanId=5, ipam={**POOL, "subnet": "10.2.0.0/24"}),
    ],
    "mtu-over-master": [one("bridge", bridge="br0", mtu=1400), one("macvlan", name="m", master="br0", mtu=1500)],
    "name-twice": [one("macvlan", master="eth0"), one("macvlan", master="eth1")],
    "unknown-network": [pod("n")],
    "other-namespace": [definition("n", one("loopback"), "b"), pod("b/n")],
}

BESIDE = {
    "default-routes-fight": {"default-route"},
    "isolation": {"unknown-network"},
    "same-interface": {"unknown-network"},
    "default-route-twice": {"unknown-network"},
    "not-text": {"unknown-key"},
}
"""Rules that the same files break as well."""


def test_every_rule_has_a_case() -> None:
    assert set(CASES) | {"unreadable"} == set(RULES)


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_rule_is_broken_and_no_other(rule: str) -> None:
    files = [(f"{at}.{'yaml' if text[:1] == 'a' else 'conf'}", text) for at, text in enumerate(CASES[rule])]
    rules = {each.rule for each in found(*files)}
    assert rules - BESIDE.get(rule, set()) == {rule}


def test_what_cannot_be_read_is_told() -> None:
    (finding,) = lint([Document("x", b"", trouble="it cannot be read: Permission denied")])
    assert (finding.rule, finding.line, finding.column) == ("unreadable", 1, 1)


@pytest.mark.parametrize(
    ("rule", "mend"),
    [
        ("unknown-key", "did you mean master?"),
        ("unknown-type", "did you mean macvlan?"),
        ("bad-value", "did you mean bridge?"),
        ("unknown-capability", "did you mean ips?"),
        ("key-case", "write master"),
    ],
)
def test_what_was_meant_is_said(rule: str, mend: str) -> None:
    (finding,) = found(("x.conf", CASES[rule][0]))
    assert finding.mend == mend


def test_a_program_of_the_node_is_known(tmp_path: Any) -> None:
    program = tmp_path / "macvlam"
    program.write_text("")
    program.chmod(0o755)
    assert found(("x.conf", one("macvlam")), options=Options((str(tmp_path),))) == []


def test_all_that_is_wrong_is_told_and_not_the_first_alone() -> None:
    text = one("bridge", bridge="a-name-that-is-too-long", vlan=5000, mtu="x", hairpinMode=1)
    assert len([each for each in found(("x.conf", text)) if each.level == "error"]) == 4


def test_a_device_of_the_kubelet_is_one() -> None:
    text = definition("n", one("host-device"))
    assert {each.rule for each in found(("x.yaml", text))} == {"missing-key"}
    resource = "annotations: {k8s.v1.cni.cncf.io/resourceName: a.com/vf}"
    assert found(("x.yaml", text.replace("name: n", f"name: n, {resource}"))) == []


@pytest.mark.parametrize("ipam", ["static", "whereabouts"])
def test_addresses_that_a_pod_may_bring_are_no_error(ipam: str) -> None:
    text = one("macvlan", ipam={"type": ipam}, capabilities={"ips": True})
    assert found(("x.conf", text)) == []


def test_a_level_of_the_log_that_there_is_not_is_told() -> None:
    (finding,) = found(("x.conf", multus(logLevel="nois")))
    assert (finding.rule, finding.level) == ("ignored-key", "note")


def test_a_key_of_an_annotation_that_nobody_reads_is_told() -> None:
    (finding,) = [each for each in found(("x.yaml", pod('[{"name": "a", "interfce": "x"}]'))) if each.level != "note"]
    assert (finding.rule, finding.mend) == ("unknown-key", "did you mean interface?")


def test_interfaces_are_counted_behind_the_configurations_own() -> None:
    delegates = [{"cniVersion": "1.0.0", "name": name, "type": "loopback"} for name in ("d", "e")]
    assert "same-interface" in {each.rule for each in found(("x.yaml", pod("a@net2,b")))}
    assert "same-interface" not in {each.rule for each in found(("x.yaml", pod("a@net2,b@net5")))}
    more = ("y.conf", multus(delegates=delegates))
    assert "same-interface" in {each.rule for each in found(("x.yaml", pod("a,b@net2")), more)}


def test_networks_of_one_store_share_their_ranges() -> None:
    ipam = {"type": "whereabouts", "range": "10.1.0.0/24", "network_name": "x"}
    assert found(("1.conf", one("macvlan", ipam=ipam)), ("2.conf", one("macvlan", name="m", ipam=ipam))) == []


def test_a_plugin_in_a_lists_directory_needs_no_name() -> None:
    files = {
        "d/n.conflist": '{"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "loopback"}]}',
        "d/n/10.conf": '{"type": "tuning"}',
    }
    assert found(*files.items()) == []
