"""The operations page, conf/deploy/README.md: what it has people type is typed here, and prints what it shows."""

from __future__ import annotations

import argparse
import re
import textwrap
from typing import TYPE_CHECKING

import pytest
import yaml

from cni_multus.cli.command import Command, describe
from cni_multus.cli.node.install import Install
from cni_multus.cli.node.uninstall import Uninstall
from cni_multus.node import handable
from tests.deploy.kit import DEPLOY, OVERLAYS, documents, of_kind, rendered

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


def read(command: Command, arguments: list[str]) -> argparse.Namespace:
    """What a command takes them for."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    describe(parser, command)
    return parser.parse_args(arguments)


def patched(directory: Path, what: str) -> None:
    """Add the patch that the page has for an option."""
    patches = re.findall(r"^(    patches:\n(?:    .*\n)+)", PAGE, re.MULTILINE)
    [patch] = [text for text in patches if f"--{what}" in text]
    with (directory / "kustomization.yaml").open("a") as file:
        file.write(textwrap.dedent(patch))


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
    patched(directory, "namespace-isolation")
    [watch] = of_kind(rendered(directory), "DaemonSet")["spec"]["template"]["spec"]["containers"]
    assert watch["args"][-1] == "--namespace-isolation"


@pytest.mark.parametrize("overlay", ["base", *(f"overlays/{path.name}" for path in OVERLAYS)])
def test_taking_over_is_what_install_does_with_the_patch_that_is_shown(tmp_path: Path, overlay: str) -> None:
    directory = my_cluster(tmp_path)
    path = directory / "kustomization.yaml"
    path.write_text(path.read_text().replace("conf/deploy/base", f"conf/deploy/{overlay}"))
    patched(directory, "take-over")
    [install] = of_kind(rendered(directory), "DaemonSet")["spec"]["template"]["spec"]["initContainers"]
    [plain] = of_kind(rendered(DEPLOY / overlay), "DaemonSet")["spec"]["template"]["spec"]["initContainers"]
    assert install["args"] == [arg.replace("--skip-configuration", "--take-over") for arg in plain["args"]]
    assert read(Install(), install["args"]).take_over


def test_the_command_that_hands_over_is_one() -> None:
    [arguments] = re.findall(r"-- /usr/bin/multus uninstall (.*)$", PAGE, re.MULTILINE)
    told = read(Uninstall(), arguments.split())
    assert (told.root, told.hand_over) == ("/host", True)


def test_what_is_said_not_to_be_handed_over_is_what_is_refused() -> None:
    told = PAGE[PAGE.index("cannot be handed over |") :].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", told, re.MULTILINE)) == {*handable.LOOKS, "whereabouts"}


def test_the_accounts_of_both_can_be_told_apart_by_their_pods_labels(tmp_path: Path) -> None:
    """The selector by which the pods of the Go Multus are deleted finds none of ours, and the other way round."""
    labels = of_kind(rendered(my_cluster(tmp_path)), "DaemonSet")["spec"]["template"]["metadata"]["labels"]
    go_multus = {"tier": "node", "app": "multus", "name": "multus"}
    selectors = {text.partition("=")[0]: text.partition("=")[2] for text in re.findall(r"--selector (\S+)", PAGE)}
    assert selectors == {"name": "multus", "app.kubernetes.io/name": "multus"}
    assert [key for key in selectors if key in labels] == ["app.kubernetes.io/name"]
    assert [key for key in selectors if key in go_multus] == ["name"]


def test_the_rights_that_are_shown_are_those_that_there_are() -> None:
    table = re.findall(
        r"^\| `(\w[\w/-]*)`(?:, only `multus`)? \| ([a-z, ]+) \|", PAGE.partition("## What it may do")[2], re.MULTILINE
    )
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
