"""The configuration made from the primary's: what stands in it, and what refuses to be one."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni_multus.cni.errors import CniError, IncompatibleVersion, InvalidNetworkConfig
from cni_multus.node.configure import configure, plan
from cni_multus.node.generate import ANNOTATIONS, Options
from cni_multus.node.marker import EDITED, MARKER, OURS, read_mark
from cni_multus.node.primary import BrokenPrimary, NoPrimary, find_primary
from tests.nodes.kit import NET_D, PRIMARIES, Site, primary

ANNOTATED = {ANNOTATIONS: True}
MADE = {
    "10-calico.conflist": ("00-multus.conf", "0.3.1", {"portMappings": True, "bandwidth": True}),
    "10-antrea.conflist": ("00-multus.conf", "0.3.0", {"portMappings": True, "bandwidth": True}),
    "05-cilium.conflist": ("00-multus.conf", "0.3.1", {}),
    "10-flannel.conflist": ("00-multus.conf", "0.3.1", {"portMappings": True}),
    "10-bridge.conflist": ("00-multus.conflist", "1.0.0", {"mac": True, "portMappings": True}),
    "10-single.conf": ("00-multus.conf", "0.4.0", {}),
}


def made(site: Site, **changed: Any) -> dict[str, Any]:
    """The document that would be published."""
    document = json.loads(plan(str(site.root), site.configuration(**changed)).document.data)
    assert isinstance(document, dict)
    return document


def plugin(document: dict[str, Any]) -> dict[str, Any]:
    found = document["plugins"][0] if "plugins" in document else document
    assert isinstance(found, dict)
    return found


def test_every_primary_has_its_row() -> None:
    assert set(MADE) == {path.name for path in PRIMARIES.iterdir()}


@pytest.mark.parametrize("file", MADE)
def test_the_configuration_has_the_primarys_version_and_capabilities(site: Site, file: str) -> None:
    name, version, able = MADE[file]
    site.put(file)
    planned = plan(str(site.root), site.configuration())
    document = json.loads(planned.document.data)
    assert planned.document.name == name
    assert document["cniVersion"] == version
    assert document["name"] == "multus-cni-network"
    assert plugin(document)["clusterNetwork"] == f"{NET_D}/{file}"
    assert plugin(document)["capabilities"] == {**able, **ANNOTATED}
    assert ("plugins" in document) is name.endswith("list")
    assert read_mark(planned.document.data).source == f"{NET_D}/{file}"


def test_what_the_primary_is_not_able_to_is_left_out(site: Site) -> None:
    site.put("10-bridge.conflist")
    assert "ips" not in plugin(made(site))["capabilities"]


def test_plugins_of_the_lists_own_directory_count(site: Site) -> None:
    site.put("10-bridge.conflist")
    (site.net_d / "pods").mkdir()
    (site.net_d / "pods" / "10-more.conf").write_text('{"type": "bandwidth", "capabilities": {"bandwidth": true}}')
    assert plugin(made(site))["capabilities"]["bandwidth"] is True


def test_the_primarys_name_is_taken_where_that_is_asked_for(site: Site) -> None:
    site.put("10-bridge.conflist")
    document = made(site, options=Options(override_name=True))
    assert document["name"] == "pods"
    assert document["loadOnlyInlinedPlugins"] is True


def test_offered_versions_go_with_it(site: Site) -> None:
    site.put(
        "10-a.conflist", primary("10-calico.conflist").replace('"cniVersion"', '"cniVersions": ["1.0.0"], "cniVersion"')
    )
    assert made(site)["cniVersions"] == ["1.0.0"]


def test_another_version_than_the_primarys_is_refused_unless_forced(site: Site) -> None:
    site.put("10-calico.conflist")
    with pytest.raises(InvalidNetworkConfig, match=r"--cni-version is 1.0.0, and .*10-calico.conflist has 0.3.1"):
        made(site, options=Options(cni_version="1.0.0"))
    assert made(site, options=Options(cni_version="0.3.1"))["cniVersion"] == "0.3.1"
    assert made(site, options=Options(cni_version="1.0.0", force_version=True))["cniVersion"] == "1.0.0"


def test_a_version_that_we_do_not_speak_is_refused(site: Site) -> None:
    site.put("10-a.conf", '{"cniVersion": "9.0.0", "name": "a", "type": "bridge"}')
    with pytest.raises(IncompatibleVersion, match=r"10-a.conf"):
        made(site)


def test_every_option_has_its_key(site: Site) -> None:
    site.put("10-calico.conflist")
    options = Options(
        kubeconfig="/etc/k",
        namespace_isolation=True,
        global_namespaces="default,net",
        log_to_stderr=False,
        log_level="debug",
        log_file="/var/log/multus.log",
        readiness_file="/run/ready",
        bin_dir="/opt/more",
        networks_dir="/etc/cni/multus/net.d",
        more={"retryDeleteOnError": True, "capabilities": {"aliases": True}},
    )
    document = made(site, options=options)
    assert {
        key: document[key] for key in document.keys() - {"cniVersion", "name", "type", "clusterNetwork", MARKER}
    } == {
        "kubeconfig": "/etc/k",
        "namespaceIsolation": True,
        "globalNamespaces": "default,net",
        "logToStderr": False,
        "logLevel": "debug",
        "logFile": "/var/log/multus.log",
        "readinessindicatorfile": "/run/ready",
        "binDir": "/opt/more",
        "confDir": "/etc/cni/multus/net.d",
        "retryDeleteOnError": True,
        "capabilities": {"portMappings": True, "bandwidth": True, "aliases": True, **ANNOTATED},
    }


def test_a_key_of_the_wrong_type_is_told_before_anything_is_written(site: Site) -> None:
    site.put("10-calico.conflist")
    with pytest.raises(CniError, match="cniDir must be a string"):
        configure(str(site.root), site.configuration(options=Options(more={"cniDir": 7})))
    assert site.names() == ["10-calico.conflist"]


def test_the_first_in_order_is_the_primary(site: Site) -> None:
    for file in ("10-flannel.conflist", "10-antrea.conflist", "05-cilium.conflist"):
        site.put(file)
    found = find_primary(str(site.root), NET_D)
    assert (found.file, found.others) == ("05-cilium.conflist", ("10-antrea.conflist", "10-flannel.conflist"))
    assert find_primary(str(site.root), NET_D, "10-flannel.conflist").name == "cbr0"


def test_directories_and_pipes_do_not_hold_it_up(site: Site) -> None:
    site.put("10-flannel.conflist")
    (site.net_d / "05-directory.conf").mkdir()
    assert find_primary(str(site.root), NET_D).file == "10-flannel.conflist"
    os.mkfifo(site.net_d / "05-pipe.conf")
    with pytest.raises(BrokenPrimary, match=r"05-pipe\.conf"):
        find_primary(str(site.root), NET_D)


def test_meta_plugins_are_no_primaries(site: Site) -> None:
    """By the marker, by the type in a list or alone, and by the name where the content tells nothing."""
    site.put("10-flannel.conflist")
    configure(str(site.root), site.configuration())
    (site.net_d / "00-multus.conf").rename(site.net_d / "01-copy.conf")
    site.put("02-go.conf", '{"type": "multus", "name": "a", "delegates": []}')
    site.put("03-thick.conflist", '{"name": "a", "plugins": [{"type": "multus-shim"}]}')
    site.put("00-multus.conf.conf", "")
    site.put(".hidden.conf", "")
    assert find_primary(str(site.root), NET_D).file == "10-flannel.conflist"


@pytest.mark.parametrize(
    "content", ['{"type": "multus", "name": "a"}', '{"name": "a", "plugins": [{"type": "multus-shim"}]}']
)
def test_it_never_wraps_itself_even_if_told_to(site: Site, content: str) -> None:
    site.put("20-go.conf", content)
    with pytest.raises(BrokenPrimary, match="cannot be a delegate of itself"):
        made(site, primary_file="20-go.conf")


def test_nothing_there_is_told(site: Site) -> None:
    with pytest.raises(NoPrimary, match=f"no configuration of a primary CNI in {NET_D}"):
        made(site)
    with pytest.raises(NoPrimary, match=r"10-calico\.conflist is not there"):
        made(site, primary_file="10-calico.conflist")
    site.net_d.rmdir()
    with pytest.raises(NoPrimary):
        made(site)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"name": "a"}', '{"type": "bridge"}', '{"name": "a", "plugins": []}', "\ufeff{}",
     '{"name": "../a", "type": "b"}', '{"name": "a", "plugins": [{}]}', '{"name": "a", "plugins": {"type": "b"}}',
     '{"name": "a", "type": "b", "capabilities": {"x": null}, "cniVersion": 1}',
     '{"name": "a", "type": "b", "capabilities": {"x": "yes"}}', '{"name": "a", "type": "b", "capabilities": []}'],
)  # fmt: skip
def test_a_broken_primary_lets_no_other_take_its_place(site: Site, content: str) -> None:
    site.put("05-broken.conf", content)
    site.put("10-flannel.conflist")
    with pytest.raises(BrokenPrimary, match=f"{NET_D}/05-broken.conf cannot be the primary's configuration"):
        made(site)


def test_a_capability_that_is_null_is_none(site: Site) -> None:
    """The Go entrypoint panics at it."""
    site.put("10-a.conf", '{"name": "a", "type": "b", "capabilities": {"x": null, "y": true}}')
    assert made(site)["capabilities"] == {"y": True, **ANNOTATED}


def test_a_quote_in_a_path_breaks_nothing(site: Site) -> None:
    site.put('10-"quoted"\n.conf', '{"name": "a", "type": "b"}')
    assert made(site)["clusterNetwork"] == f'{NET_D}/10-"quoted"\n.conf'


def test_an_operators_own_file_is_published_as_it_is(site: Site) -> None:
    own = site.root / "own" / "05-multus.conf"
    own.parent.mkdir()
    own.write_text(
        '{"cniVersion": "0.3.1", "name": "n", "type": "multus", "clusterNetwork": "/x.conf", "unknown": [1]}'
    )
    done = configure(str(site.root), site.configuration(conf_file="/own/05-multus.conf"))
    assert done.path == f"{NET_D}/05-multus.conf"
    written = site.ours("05-multus.conf")
    assert {key: value for key, value in written.items() if key != MARKER} == json.loads(own.read_text())


@pytest.mark.parametrize(
    ("content", "why"),
    [("{", "not JSON"), ('{"name": "n", "type": "bridge"}', "none of bridge is multus"),
     ('{"name": "n", "type": "multus"}', "neither this nor a delegate"),
     ('{"name": "n", "type": "multus", "clusterNetwork": "/x", "logToStderr": "no"}', "must be a boolean")],
)  # fmt: skip
def test_an_operators_file_is_checked(site: Site, content: str, why: str) -> None:
    (site.root / "own.conf").write_text(content)
    with pytest.raises(CniError, match=why):
        configure(str(site.root), site.configuration(conf_file="/own.conf"))
    assert site.names() == []


def test_the_marker_knows_an_edit_from_another_layout(site: Site) -> None:
    site.put("10-calico.conflist")
    data = plan(str(site.root), site.configuration()).document.data
    document = json.loads(data)
    assert read_mark(data).owner == OURS
    assert read_mark(json.dumps(document, indent=1, sort_keys=True).encode()).owner == OURS
    assert read_mark(json.dumps({**document, "logLevel": "debug"}).encode()).owner == EDITED
    document[MARKER]["from"] = "/etc/cni/net.d/other"
    assert read_mark(json.dumps(document).encode()).owner == EDITED


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(("name", "type", "cniVersion", "cniVersions", "plugins", "capabilities", "disableCheck", MARKER))
PLUGINS = st.dictionaries(KEYS, VALUES | st.sampled_from(("a", "0.3.1", "multus")), max_size=5)
DOCUMENTS = PLUGINS | st.builds(
    lambda head, plugins: {**head, "plugins": plugins}, PLUGINS, st.lists(PLUGINS, max_size=3)
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(document=DOCUMENTS)
def test_no_document_does_anything_but_serve_or_be_refused(site: Site, document: dict[str, object]) -> None:
    site.put("10-any.conf", json.dumps(document))
    made, refused = None, None
    try:
        made = plan(str(site.root), site.configuration())
    except CniError as error:
        refused = error
    if made:
        assert read_mark(made.document.data).owner == OURS
    else:
        assert isinstance(refused, NoPrimary) or "10-any.conf" in str(refused)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_half_written_primary_is_taken(site: Site, data: st.DataObject) -> None:
    whole = primary(data.draw(st.sampled_from(sorted(MADE)))).strip().encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    (site.net_d / "10-any.conflist").write_bytes(whole[:cut] + data.draw(st.sampled_from((b"", b"\0" * 3))))
    with pytest.raises(BrokenPrimary):
        plan(str(site.root), site.configuration())
