"""Line and column of the file, however the text is written in it."""

from __future__ import annotations

import pytest

from tests.cli.lint.kit import found

HEAD = "apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {name: n}\nspec:\n"
WRITTEN = {
    "literal": '  config: |\n    {\n      "cniVersion": "1.0.0", "type": "macvlan",\n      "mtu": "x"\n    }\n',
    "stripped": '  config: |-\n    {\n      "cniVersion": "1.0.0", "type": "macvlan",\n      "mtu": "x"\n    }\n',
    "indented": '  config: |2\n    {\n      "cniVersion": "1.0.0", "type": "macvlan",\n      "mtu": "x"\n    }\n',
    "folded": '  config: >\n    {\n      "cniVersion": "1.0.0", "type": "macvlan",\n\n      "mtu": "x"\n    }\n',
    "single": '  config: \'{ "cniVersion": "1.0.0",\n    "type": "macvlan", "mtu": "x" }\'\n',
    "double": '  config: "{\\"cniVersion\\": \\"1.0.0\\",\\n\\\n    \\"type\\": \\"macvlan\\", \\"mtu\\": \\"x\\" }"\n',
    "flow": '  config: "{ \\"cniVersion\\": \\"1.0.0\\", \\"type\\": \\"macvlan\\", \\"mtu\\":\\u0020\\"x\\" }"\n',
    "umlaut": '  config: |\n    { "cniVersion": "1.0.0", "//": "äöü😀", "type": "macvlan", "mtu": "x" }\n',
}


def place_of(text: str, what: str) -> tuple[int, int]:
    """Where the first occurrence stands."""
    at = text.index(what)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@pytest.mark.parametrize("how", sorted(WRITTEN))
@pytest.mark.parametrize("before", ["", "# a comment\n---\na: b\n---\n"])
def test_a_value_of_json_in_yaml(how: str, before: str) -> None:
    text = before + HEAD + WRITTEN[how]
    (finding,) = [each for each in found(("x.yaml", text)) if each.rule == "bad-type"]
    quoted = '\\"x\\"' if how in ("double", "flow") else '"x"'
    assert (finding.line, finding.column) == place_of(text, quoted)


def test_a_value_of_json_in_json() -> None:
    config = '{\\"cniVersion\\": \\"1.0.0\\", \\"type\\": \\"macvlan\\", \\"mtu\\": \\"x\\"}'
    text = (
        '{"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",\n'
        ' "metadata": {"name": "n"}, "spec": {"config":\n  "' + config + '"}}'
    )
    (finding,) = [each for each in found(("x.json", text)) if each.rule == "bad-type"]
    assert (finding.line, finding.column) == place_of(text, '\\"x\\"')


@pytest.mark.parametrize(
    ("annotation", "what"),
    [
        ("|\n      a,\n      b@c@d\n", "b@c@d"),
        ("a, b@c@d\n", "b@c@d"),
        ('|\n      [\n        {"name": "a"},\n        {"name": "b", "ips": ["10.1.0.999"]}\n      ]\n', '"10.1.0.999"'),
        ('\'[{"name": "a"}, {"name": "b", "ips": ["10.1.0.999"]}]\'\n', '"10.1.0.999"'),
        ('>-\n      [{"name": "a"},\n      {"nam": "b"}]\n', '{"nam"'),
        ('|\n      [{"name": "a"}\n       {"name": "b"}]\n', '{"name": "b"}'),
    ],
)
def test_an_element_of_an_annotation(annotation: str, what: str) -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n"
        f"    k8s.v1.cni.cncf.io/networks: {annotation}"
    )
    (finding,) = [each for each in found(("x.yaml", text)) if each.rule == "bad-annotation"]
    assert (finding.line, finding.column) == place_of(text, what)


def test_an_unknown_key_is_told_where_the_key_stands() -> None:
    text = '{\n  "cniVersion": "1.0.0",\n  "name": "n",\n  "type": "macvlan",\n  "mater": "eth0"\n}\n'
    (finding,) = found(("x.conf", text))
    assert (finding.line, finding.column) == (5, 3)


def test_a_missing_key_is_told_at_the_object() -> None:
    text = '{\n  "cniVersion": "1.0.0", "name": "n",\n  "plugins": [\n    { "type": "vlan" }\n  ]\n}\n'
    assert {(each.line, each.column) for each in found(("x.conflist", text)) if each.level == "error"} == {(4, 5)}


def test_the_text_that_breaks_off_is_told_where_it_does() -> None:
    (finding,) = found(("x.conf", '{\n  "a": 1\n  "b": 2\n}'))
    assert (finding.rule, finding.line, finding.column) == ("json-syntax", 3, 3)
