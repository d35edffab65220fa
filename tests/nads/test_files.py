"""Definitions in files of a node: whatever else is in the directory, or in the file, is none of a pod's business."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cni_multus.cni.errors import CniError, IoFailure
from cni_multus.nads.definition import RESOURCE
from cni_multus.nads.sources import KIND, FileDefinitions
from cni_multus.network import Network
from tests.nads.defined import NAME, NAMESPACE, PATIENCE, VALUES, in_files, refused, soundly

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = '{"type": "macvlan"}'
MANIFEST = f"""\
apiVersion: k8s.cni.cncf.io/v1
kind: {KIND}
metadata:
  name: {NAME}
  namespace: {NAMESPACE}
  annotations:
    {RESOURCE}: example.com/vf
spec:
  config: '{CONFIG}'
"""
HEAD = f"kind: {KIND}\nmetadata:\n  name: {NAME}\n  namespace: {NAMESPACE}\n"
WORDS = [
    *("&a", "*a", "<<: *a", "!!python/object/apply:os.system", "!!int", "!!timestamp", "!!bool x", "!!float", "!!set"),
    *("? [x]", "? {x: y}", "- ", "---\n", "...\n", "%YAML 9.9\n", "%TAG ! x\n", "| ", "> ", "'", '"', "[", "{", ": "),
    *("\t", "\x00", "\x85", "\ufeff", "2001-13-45", "0x", "1:99:99", "=", "~", "on", "#", "@", "`", "\\ud800", "\n"),
]
quickly = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def document(name: str = NAME, config: object = CONFIG, namespace: str | None = NAMESPACE) -> dict[str, object]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"kind": KIND, "metadata": metadata, "spec": {"config": config}}


def found(definitions: FileDefinitions, namespace: str = NAMESPACE) -> str:
    """The name of the network."""
    return definitions.find(namespace, NAME).network("/nowhere", "", lambda _: None).name


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a_json": json.dumps(document())}, id="JSON"),
        pytest.param({"a_yaml": MANIFEST}, id="YAML"),
        pytest.param({"a_yml": MANIFEST.replace("\n", "\r\n")}, id="YAML from elsewhere"),
        pytest.param({"a_yaml": "\ufeff" + MANIFEST}, id="YAML with a byte order mark"),
        pytest.param({"a_yaml": "# all\n---\nkind: Secret\n--- # ours\n" + MANIFEST + "...\n---\n"}, id="documents"),
        pytest.param({"a_yaml": "{\n--- }\n---\n" + MANIFEST + "--- {red\n"}, id="broken neighbours in the file"),
        pytest.param({"a_yaml": "red: &a [*a]\n---\n" + MANIFEST + "---\nred: ["}, id="that have the name as well"),
        pytest.param({"0_json": "{red", "a_yaml": MANIFEST, "b_yaml": "red: ["}, id="broken neighbours"),
        pytest.param({"0_json": json.dumps([document()]), "1_json": '"red"', "a_yaml": MANIFEST}, id="other JSON"),
        pytest.param({"a_json": json.dumps({"kind": "List", "items": [7, None, document()]})}, id="a List"),
        pytest.param({"a_yaml": yaml.safe_dump({"kind": "List", "items": [{}, document()]})}, id="a List in YAML"),
        pytest.param({"0_txt": "{", "0_json~": "{", "a_json": json.dumps(document())}, id="other files"),
    ],
)
def test_a_definition_is_found(tmp_path: Path, files: dict[str, str]) -> None:
    assert found(in_files(tmp_path / "nad.d", **files)) == "shop_red"


def test_what_has_no_namespace_is_in_default(tmp_path: Path) -> None:
    for number, namespace in enumerate(["", "  namespace:\n", "  namespace: ~\n", "  namespace: ''\n"]):
        text = f"kind: {KIND}\nmetadata:\n  name: {NAME}\n{namespace}spec: {{config: '{CONFIG}'}}\n"
        definitions = in_files(tmp_path / f"nad{number}.d", a_yaml=text)
        assert found(definitions, "default") == "default_red"
        assert definitions.find_any(NAMESPACE, NAME) is None


def test_the_first_file_counts_and_one_that_is_no_definition_does_not(tmp_path: Path) -> None:
    files = {
        "0_json": json.dumps({**document(config='{"type":"x","name":"zero"}'), "spec": []}),
        "1_json": json.dumps(document(config='{"type":"x","name":"one"}')),
        "2_json": json.dumps(document(config='{"type":"x","name":"two"}')),
    }
    assert found(in_files(tmp_path / "nad.d", **files)) == "one"


def test_symbolic_links_are_followed_and_what_is_no_file_passed_over(tmp_path: Path) -> None:
    directory = tmp_path / "nad.d"
    (tmp_path / "data").write_text(MANIFEST)
    definitions = in_files(directory)
    (directory / "0.json").symlink_to("/dev/zero")
    (directory / "1.json").symlink_to("1.json")
    (directory / "2.json").symlink_to("nowhere")
    (directory / "3.json").mkdir()
    os.mkfifo(directory / "4.yaml")
    os.mkdir(os.fsencode(directory) + b"/5\xff.yaml")
    begun = time.monotonic()
    message = refused(definitions, tmp_path)
    assert time.monotonic() - begun < PATIENCE
    assert "0.json" in message
    assert "and 1 more" in message
    (directory / "9.yaml").symlink_to(tmp_path / "data")
    assert found(FileDefinitions(str(directory))) == "shop_red"


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    assert f"no file in {tmp_path}/nad.d has it" in refused(FileDefinitions(f"{tmp_path}/nad.d"), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(IoFailure, match="file"):
        FileDefinitions(f"{tmp_path}/file").find(NAMESPACE, NAME)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(HEAD + "spec: [", "line 5, column 8", id="cut off"),
        pytest.param("x: y\n---\nkind: Z\n---\n" + HEAD + "spec: [", "line 9, column 8", id="cut off behind others"),
        pytest.param(HEAD + "spec: {config: {type: macvlan}}\n", "spec.config must be a string", id="no text"),
        pytest.param(HEAD + "spec: {config: [1]}\n", "spec.config must be a string, and is a list", id="a list"),
        pytest.param(HEAD + "spec: {config: 7}\n", "not a JSON object but a number", id="a number"),
        pytest.param(HEAD + "spec: {config: 'null'}\n", "not a JSON object but null", id="null as a text"),
        pytest.param(HEAD + "spec: {config: ~}\n", "spec.config is empty", id="null"),
        pytest.param(HEAD + "spec:\n  - config\n", "spec must be an object, and is a list", id="spec is a list"),
        pytest.param(HEAD + "  annotations: [a]\n", "metadata.annotations must be an object", id="annotations"),
        pytest.param(HEAD + f"  annotations: {{{RESOURCE}: [a]}}\n", "must be a string", id="resource"),
        pytest.param(HEAD + "  1: x\n  on: x\n  ~: x\n  2001-01-01: x\nspec: {1: 2}\n", "is empty", id="keys"),
        pytest.param("a: &a {x: y}\n" + HEAD + "spec:\n  <<: *a\n", "merging a mapping", id="merged"),
        pytest.param(HEAD + "spec: !!python/object/apply:os.system [x]\n", "spec must be an object", id="tag"),
        pytest.param(HEAD + "spec: {config: !!timestamp x}\n", "is not JSON", id="a tag that fits nothing"),
        pytest.param(HEAD + "spec: !!int ''\n", "spec must be an object", id="a tag for nothing"),
        pytest.param(HEAD + "spec: &a {config: *a}\n", "recursive", id="an anchor in itself"),
        pytest.param(HEAD + "spec: *nobody\n", "undefined alias", id="an alias of nothing"),
        pytest.param(HEAD + "? [a]\n: b\n", "unhashable", id="a list as a key"),
        pytest.param(HEAD + "spec: " + "[" * 5000 + "]" * 5000, "is not YAML", id="deep"),
        pytest.param(HEAD + 'spec: {config: "\\ud800"}', "half of a surrogate pair", id="half of a surrogate pair"),
        pytest.param(HEAD + 'spec: {config: "\\0"}', "NUL", id="NUL, escaped"),
        pytest.param(HEAD + "spec: \0", "special characters", id="NUL"),
        pytest.param("# \udcff\n" + HEAD, "is not YAML", id="not UTF-8"),
        pytest.param(HEAD + "x: " + "y" * (256 << 10), "more than 256 KiB", id="large"),
    ],
)
def test_yaml_that_is_none_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    definitions = in_files(tmp_path / "nad.d", a_yaml=text.encode("utf-8", "surrogateescape"))
    assert said in refused(definitions, tmp_path / "net.d")


@pytest.mark.parametrize("merged", [False, True], ids=["aliases", "merged"])
@pytest.mark.parametrize("place", ["metadata: {name: *i, namespace: *i}", "spec: *i", "kind: *i", "items: *i"])
def test_a_short_file_makes_no_large_value(tmp_path: Path, place: str, merged: bool) -> None:
    """A billion laughs: each line has nine times what the one before has."""
    begin = "a: &a {x: y}\n" if merged else "a: &a [red]\n"
    opened, closed = ("{<<: [", "]}") if merged else ("[", "]")
    lines = [
        f"{one}: &{one} {opened}{','.join([f'*{other}'] * 9)}{closed}\n"
        for other, one in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    definitions = in_files(tmp_path / "nad.d", a_yaml=HEAD + begin + "".join(lines) + place + "\n")
    begun = time.monotonic()
    error = soundly(lambda: definitions.find(NAMESPACE, NAME), tmp_path)
    assert time.monotonic() - begun < PATIENCE
    assert isinstance(error, CniError)


def test_a_large_directory_is_looked_through_in_time(tmp_path: Path) -> None:
    neighbours = "---\n".join(MANIFEST.replace(NAME, f"blue{number}") for number in range(2000))
    broken = {f"broken{number}_json": '{"red' for number in range(300)}
    definitions = in_files(tmp_path / "nad.d", a_yaml=neighbours, **broken)
    begun = time.monotonic()
    message = refused(definitions, tmp_path)
    assert time.monotonic() - begun < PATIENCE
    assert "and 297 more" in message
    (tmp_path / "nad.d" / "z.yaml").write_text(neighbours + "---\n" + MANIFEST)
    assert found(FileDefinitions(definitions._directory)) == "shop_red"
    assert time.monotonic() - begun < PATIENCE


def whatever(tmp_path: Path, **files: str) -> None:
    """Any file: a network, or an error that names the definition, and what is beside it is found."""
    definitions = in_files(
        tmp_path / "nad.d", **{name: text.encode("utf-8", "surrogatepass") for name, text in files.items()}
    )
    soundly(lambda: definitions.find(NAMESPACE, NAME), tmp_path)
    beside = in_files(tmp_path / "nad.d", z_json=json.dumps(document(name="beside")))
    assert isinstance(beside.find(NAMESPACE, "beside").network("/nowhere", "", lambda _: None), Network)


@given(st.builds(json.dumps, VALUES | st.lists(VALUES), ensure_ascii=st.booleans()))
@quickly
def test_any_json(tmp_path: Path, text: str) -> None:
    whatever(tmp_path, a_json=text)
    whatever(tmp_path, a_json=json.dumps({"kind": KIND, "metadata": document()["metadata"], "x": NAME}) + text)


@given(VALUES, VALUES)
@quickly
def test_any_members(tmp_path: Path, metadata: object, spec: object) -> None:
    members = {**document(), "spec": spec}
    whatever(tmp_path, a_json=json.dumps(members), b_json=json.dumps({**members, "metadata": metadata, "x": NAME}))
    given = {**metadata, "name": NAME, "namespace": NAMESPACE} if isinstance(metadata, dict) else metadata
    whatever(tmp_path, a_json=json.dumps({**members, "metadata": given, "x": NAME}))


@given(st.integers(0, len(MANIFEST)), st.lists(st.sampled_from(WORDS) | st.text(max_size=3), min_size=1, max_size=4))
@example(at=len(HEAD), more=["spec: !!timestamp x"])
@quickly
def test_any_yaml(tmp_path: Path, at: int, more: list[str]) -> None:
    whatever(tmp_path, a_yaml=MANIFEST[:at] + " ".join(more) + MANIFEST[at:])
    whatever(tmp_path, a_yaml=MANIFEST[:at] + " ".join(more))
