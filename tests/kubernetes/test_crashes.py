"""What crashes or misleads the Go Multus, in a whole request: one error, an Event for who can mend it, no trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.failing import failing, of_network, of_pod
from tests.kubernetes.site import DEFAULT_NETWORK, NETWORKS

if TYPE_CHECKING:
    from tests.kubernetes.site import Site

CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "nads" / "corpus.json").read_text())
RUNTIMES = "io.kubernetes.cri.pod-annotations"

CRASHES = [
    (NETWORKS, "[null]", 6),
    (NETWORKS, '[{"name": "red"}, null]', 6),
    (NETWORKS, "{}", 6),
    (NETWORKS, "[{", 6),
    (NETWORKS, '[{"name": "red", "ips": "10.7.0.9"}]', 6),
    (NETWORKS, '[{"name": "red", "cni-args": "x"}]', 6),
    (NETWORKS, '[{"name": "red", "cni-args": []}]', 6),
    (NETWORKS, '[{"name": "red", "default-route": [""]}]', 7),
    (NETWORKS, '[{"name": "red", "interface": "averyverylongname0"}]', 7),
    (NETWORKS, "null", 7),
    (NETWORKS, "red\0", 7),
    (NETWORKS, '[{"name": "\\ud800"}]', 7),
    (DEFAULT_NETWORK, "[null]", 6),
    (DEFAULT_NETWORK, '[{"name": "red"}, {"name": "red"}]', 7),
    (DEFAULT_NETWORK, "red,red", 7),
    (DEFAULT_NETWORK, "{}", 6),
    (DEFAULT_NETWORK, "null", 7),
]
FINE = [(NETWORKS, "[]"), (NETWORKS, ""), (NETWORKS, " "), (DEFAULT_NETWORK, "[]"), (DEFAULT_NETWORK, "")]


@pytest.mark.parametrize("by", ["API", "runtime"])
def test_annotations_that_crash_the_go_one(site: Site, by: str) -> None:
    site.macvlan("red", "10.7.0.0/24")
    for number, (annotation, text, code) in enumerate(CRASHES):
        given = {annotation: text}
        pod = site.pod(f"web{number}", **(given if by == "API" else {}))
        config = site.config(**({} if by == "API" else {"runtimeConfig": {RUNTIMES: given}}))
        said = failing(site, pod, "", "none such", settings=config)
        assert said.startswith(f"{code} "), (annotation, text, said)
    site.await_delivery()
    told = [*site.events("InvalidNetworks", 0), *site.events("NoNetworkFound", 0)]
    assert len(told) == len(CRASHES)
    for number, (annotation, text) in enumerate(FINE):
        pod = site.pod(f"fine{number}", **{annotation: text})
        site.call("ADD", site.config(), pod).succeeded()
        assert pod.links() == {"eth0": "veth"}


def test_definitions_that_crash_the_go_one(site: Site) -> None:
    wrong = [case for case in CORPUS if "says" in case and "\ud800" not in case["config"]]
    for number, case in enumerate(wrong):
        site.define(f"bad{number}", case["config"])
        pod = site.pod(f"web{number}", f"bad{number}")
        said = failing(site, pod, "", "none such", settings=site.config())
        assert said.startswith("7 "), (case, said)
        assert case["says"] in said
        assert f"NetworkAttachmentDefinition {site.cluster.namespace}/bad{number}: " in said
    site.await_delivery()
    assert len(site.events("NoNetworkFound", len(wrong))) == len(wrong)


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        pytest.param({"type": "../../sbin/reboot"}, 7, "is not the name of a program", id="a path for a type"),
        pytest.param({"type": "no-such"}, 101, "there is no program 'no-such'", id="a type that is not there"),
        pytest.param({"type": "mac\udcff"}, 101, "there is no program", id="a type that is not UTF-8"),
        pytest.param({"type": "macvlan", "master": "\udcff"}, 7, "master", id="a master that is not UTF-8"),
        pytest.param({"type": "bridge", "bridge": "\udcff"}, 7, "bridge", id="a bridge that is not UTF-8"),
        pytest.param({"type": "macvlan", "ipam": {"type": "no-such"}}, 101, "there is no program", id="IPAM"),
        pytest.param({"type": "macvlan", "ipam": 7}, 6, "ipam must be an object", id="IPAM that is a number"),
        pytest.param({"type": "macvlan", "master": 7}, 6, "master must be a string", id="a master that is a number"),
        pytest.param({"type": "macvlan", "master": "up0", "mtu": "x"}, 6, "mtu must be a whole number", id="mtu"),
        pytest.param({"type": "macvlan", "master": "\ud800"}, 7, "master", id="a master that no interface is"),
        pytest.param({"type": "macvlan", "master": "up0", "mode": "x"}, 7, "mode", id="mode"),
        pytest.param({"type": "macvlan", "cniVersion": "9.9.9"}, 1, "9.9.9", id="a version that is not spoken"),
        pytest.param({"type": "macvlan", "master": "up0", "capabilities": 7}, 6, "capabilities", id="capabilities"),
        pytest.param({"type": "bridge", "bridge": "\ud800"}, 7, "bridge", id="a bridge of no name"),
        pytest.param(
            {
                "type": "macvlan",
                "master": "up0",
                "ipam": {"type": "host-local", "subnet": "10.7.0.0/24", "dataDir": "/\ud800"},
            },
            7,
            "dataDir",
            id="a directory of no name",
        ),
    ],
)
def test_what_only_the_plugins_see_is_told_to_the_owner(
    site: Site, config: dict[str, Any], code: int, said: str
) -> None:
    site.define("red", json.dumps(config))
    pod = site.pod("web", "red")
    site.road.disturb("GET", "network-attachment", times=-1, answer=(200, of_network(site, json.dumps(config)), {}))
    answer = site.call("ADD", site.config(nadPaths=["/"]), pod)
    message = answer.failed(code)
    assert said in message
    assert f"{site.cluster.namespace}/red" in message or f"{site.cluster.namespace}_red" in message
    assert site.node.remains(pod) == {}
    [event] = site.events("InvalidNetworks")
    assert said.replace("\ud800", "\ufffd") in event


def test_more_than_a_record_holds_is_refused_before_anything_is_attached(site: Site) -> None:
    pod = site.pod("web", ",".join(["red"] * 6))
    for more, why in [("y" * (1 << 20), "larger than 4 MiB"), (json.loads("[" * 197 + "]" * 197), "nested deeper")]:
        network = of_network(site, json.dumps({**site.node.macvlan("red"), "x": more}))
        said = failing(
            site, pod, "GET", "network-attachment", answer=(200, network, {}), settings=site.config(apiTimeout=2)
        )
        assert said.startswith("6 ")
        assert why in said
    assert len(site.events("InvalidNetworks", 2)) == 2


def test_a_pod_that_asks_for_very_much(site: Site) -> None:
    site.macvlan("red", "10.7.0.0/16")
    pod = site.pod("web")
    for networks, said in [
        ("red," * (1 << 18), "has 1048576 bytes, more than 256 KiB"),
        (",".join(["red"] * 300), "there are 300 elements, more than 256"),
        (",".join(f"n{number}" for number in range(256)), "(n0)"),
    ]:
        assert said in failing(site, pod, "GET", "/pods/", answer=(200, of_pod(pod, networks), {}))
    assert site.road.count("GET", "network-attachment") == 1
    site.road.disturb("GET", "/pods/", answer=(200, of_pod(pod, ",".join(["red"] * 256)), {}))
    site.call("ADD", site.config(), pod).succeeded()
    assert len(pod.links()) == 257
    assert len(pod.status) == 257
    assert site.road.count("GET", "network-attachment") == 2
    site.call("DEL", site.config(), pod).succeeded()
    assert site.node.remains(pod) == {}


def test_long_annotations_are_recorded_only_for_a_plugin_that_takes_them(site: Site) -> None:
    """The runtime hands all of them over, up to 256 KiB: once for each network that would be too much for a record."""
    site.macvlan("red", "10.7.0.0/24")
    recorder = site.node.program("recorder")
    site.define("taking", {**recorder, "capabilities": {RUNTIMES: True}})
    given = {NETWORKS: ",".join(["red"] * 20 + ["taking"]), "note": "x" * 200_000}
    pod = site.pod("web")
    config = site.config(runtimeConfig={RUNTIMES: given})
    site.call("ADD", config, pod).succeeded()
    assert len(pod.links()) == 21
    assert site.node.record_file(pod).stat().st_size < 1 << 20
    site.call("DEL", site.config(), pod).succeeded()
    assert site.node.remains(pod) == {}
    for call in site.node.calls("ADD", "DEL"):
        assert call["stdin"]["runtimeConfig"] == {RUNTIMES: given}
