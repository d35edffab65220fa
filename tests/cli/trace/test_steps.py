"""`multus trace CONFIG`: one request by its steps, and nothing is left of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cni_multus.cli.trace.steps import LISTED, Step, own_times
from tests.cli.terminal import ROOT

if TYPE_CHECKING:
    from tests.cli.trace.conftest import Watched


PAGE = ROOT / "docs" / "trace.md"


def traced(node: Watched, *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = node.run_as("multus", "trace", *arguments, *node.places, "--bin-dir", str(node.bin_dir), "-o", "json")
    assert ended.stdout, ended.stderr
    return ended.status, ended.document


def steps(document: dict[str, Any], at: int) -> list[str]:
    return [step["what"] for step in document["requests"][at]["steps"]]


def test_a_request_is_taken_apart_and_nothing_is_left(node: Watched) -> None:
    delegates = [node.bridge(), node.program("slow", ADD={"sleep": 0.2, "stdout": "{}"})]
    path = node.write("00-multus.conf", node.config(*delegates))
    pod = node.pod()
    status, document = traced(node, str(path), "--netns", pod.netns, "--args", "IgnoreUnknown=1;K8S_POD_NAME=web-0")
    assert status == 0
    added, deleted = document["requests"]
    assert added["addresses"] == ["10.1.0.2/24"]
    told = steps(document, 0)
    for what in ("decide which networks, and how", "attach net1", "plugin bridge for eth0", "IPAM host-local"):
        assert what in told
    assert any(what.startswith("kernel: ") for what in told)
    assert f"execute {node.bin_dir}/slow ADD" in told
    assert "journal: empty the record" in steps(document, 1)
    assert added["parts"]["programs"] >= 200
    assert added["parts"]["kernel"] > 0
    for one in (added, deleted):
        assert abs(sum(one["parts"].values()) - one["ms"]) <= 1 + 0.1 * one["ms"]
    assert pod.links() == {}
    assert node.records() == []
    assert node.reserved("primary") == {}


def test_without_a_namespace_there_is_one_for_it(node: Watched) -> None:
    status, document = traced(node, str(node.write("10-red.conf", {"cniVersion": "1.1.0", **node.bridge()})))
    assert status == 0
    assert [one["outcome"] for one in document["requests"]] == ["ok", "ok"]
    assert list(node.links()) == ["cni0"]


def test_a_request_that_fails_says_why_by_its_exit_status(node: Watched) -> None:
    config = {"cniVersion": "1.1.0", **node.macvlan("red"), "master": "nowhere"}
    status, document = traced(node, str(node.write("10-red.conf", config)), "--netns", node.pod().netns)
    assert status == 1
    assert document["requests"][0]["code"] == 7
    ended = node.run_as("multus", "trace", str(node.root / "absent.conf"), *node.places)
    assert (ended.status, ended.stdout) == (4, "")
    assert "absent.conf" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_a_step_does_itself_is_not_what_those_within_it_do() -> None:
    found = [Step(0, "own", "plugin", 0, 10), Step(1, "ipam", "IPAM", 1, 6), Step(2, "api", "API", 2, 5)]
    found.append(Step(1, "kernel", "link", 8, 2))
    assert own_times(found, 12.0) == {"own": 4.0, "ipam": 1.0, "api": 5.0, "kernel": 2.0}


def test_every_function_that_is_listed_is_there() -> None:
    for module, name in LISTED:
        found: Any = __import__(module, fromlist=["_"])
        for each in name.split("."):
            found = getattr(found, each)
        assert found.__code__.co_qualname == name
    assert json.dumps(sorted(part for part, _ in LISTED.values()))


def test_the_page_shows_a_request_like_this(node: Watched) -> None:
    """Every step of the page is one that is shown, though maybe with other times."""
    node.write("10-red.conf", {"cniVersion": "1.1.0", **node.macvlan("red", "10.2.0.0/24")})
    ended = node.run_as("multus", "trace", str(node.networks / "10-red.conf"), *node.places)
    assert ended.status == 0
    block = PAGE.read_text().partition("# multus trace net.d/10-red.conf\n")[2].partition("```\n")[0]
    assert plain(block) == plain(ended.stdout), ended.stdout


def plain(text: str) -> list[str]:
    """The lines without times, and without the names that are made up."""
    text = re.sub(r"\b[\d]+\.\d\b", "", text)
    text = re.sub(r"/run/netns/\S+", "/run/netns/x", re.sub(r"\blink \d+\b", "link 2", text))
    return [" ".join(line.split()) for line in text.splitlines()]
