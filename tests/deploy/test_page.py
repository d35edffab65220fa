"""The operations page, conf/deploy/README.md: what it has people type is typed here, and prints what it shows."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import yaml

from tests.deploy.kit import DEPLOY, documents, of_kind, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.deploy.kit import Admin

PAGE = (DEPLOY / "README.md").read_text()


def my_cluster(place: Path) -> Path:
    """The kustomization that the page writes, as it stands there but for where the checkout is."""
    [text] = re.findall(
        r"^    cat >my-cluster/kustomization.yaml <<END\n(.*?)^    END$", PAGE, re.MULTILINE | re.DOTALL
    )
    directory = place / "my-cluster"
    directory.mkdir(parents=True)
    (directory / "kustomization.yaml").write_text(textwrap.dedent(text))
    (place / "conf").symlink_to(DEPLOY.parent)
    return directory


def test_installing_prints_what_is_shown(tmp_path: Path, admin: Admin) -> None:
    directory = my_cluster(tmp_path)
    shown = re.findall(r"^    (\S+/multus serverside-applied)$", PAGE, re.MULTILINE)
    told = admin.kubectl("apply", "--server-side", "--dry-run=server", "--kustomize", str(directory))
    assert sorted(told.replace(" (server dry run)", "").splitlines()) == sorted(shown)


def test_the_cluster_s_own_image_is_taken(tmp_path: Path) -> None:
    spec = of_kind(rendered(my_cluster(tmp_path)), "DaemonSet")["spec"]["template"]["spec"]
    images = {each["image"] for each in [*spec["initContainers"], *spec["containers"]]}
    assert images == {"registry.example/multus:0.1.0"}


def test_an_option_is_added_by_the_patch_that_is_shown(tmp_path: Path) -> None:
    directory = my_cluster(tmp_path)
    [patch] = re.findall(r"^(    patches:\n(?:    .*\n)+)", PAGE, re.MULTILINE)
    with (directory / "kustomization.yaml").open("a") as file:
        file.write(textwrap.dedent(patch))
    [watch] = of_kind(rendered(directory), "DaemonSet")["spec"]["template"]["spec"]["containers"]
    assert watch["args"][-1] == "--namespace-isolation"


def test_the_rights_that_are_shown_are_those_that_there_are() -> None:
    table = re.findall(r"^\| `(\w[\w/-]*)`(?:, only `multus`)? \| ([a-z, ]+) \|", PAGE, re.MULTILINE)
    shown = {(name, verb) for name, verbs in table for verb in verbs.split(", ")}
    rules = [
        rule
        for each in documents((DEPLOY / "base" / "account.yaml").read_text())
        if each["kind"] in {"Role", "ClusterRole"}
        for rule in each["rules"]
    ]
    assert shown == {(name, verb) for rule in rules for name in rule["resources"] for verb in rule["verbs"]}


def test_the_directories_that_are_shown_are_those_of_the_overlays() -> None:
    assert {f"overlays/{path.name}" for path in (DEPLOY / "overlays").iterdir()} == set(
        re.findall(r"^\| \[(overlays/\w+)\]", PAGE, re.MULTILINE)
    )
    for path in DEPLOY.rglob("kustomization.yaml"):
        assert yaml.safe_load(path.read_text())["kind"] in {"Kustomization", "Component"}
