import json
from pathlib import Path

import pytest

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig
from cni_multus.confdir import complete, find_network, load_file
from cni_multus.network import Network


class Directory:
    """A directory of networks, and what was said while one was looked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []

    def write(self, name: str, content: object) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def find(self, name: str, version: str = "") -> Network:
        return find_network(str(self.path), name, self.said.append, version=version)


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


def plugin(name: str, kind: str = "bridge", **more: object) -> dict[str, object]:
    return {"cniVersion": "1.0.0", "name": name, "type": kind, **more}


def conflist(name: str, *kinds: str, **more: object) -> dict[str, object]:
    return {"cniVersion": "1.0.0", "name": name, "plugins": [{"type": kind} for kind in kinds], **more}


def types(network: Network) -> list[str]:
    return [section.text("type") for section in network.plugins]


def test_a_list_comes_before_a_single_plugin(directory: Directory) -> None:
    directory.write("00.conf", plugin("net", "macvlan"))
    directory.write("99.conflist", conflist("net", "bridge", "tuning"))
    assert types(directory.find("net")) == ["bridge", "tuning"]


@pytest.mark.parametrize("ending", ["conf", "json"])
def test_a_single_plugin_is_a_network(directory: Directory, ending: str) -> None:
    directory.write(f"10.{ending}", plugin("net"))
    assert types(directory.find("net")) == ["bridge"]


def test_other_files_and_subdirectories_are_not_looked_at(directory: Directory) -> None:
    directory.write("10.conf.bak", "broken")
    directory.write("README", "broken")
    directory.write("deeper/10.conf", plugin("net", "macvlan"))
    directory.write("20.conf", plugin("net"))
    assert types(directory.find("net")) == ["bridge"]
    assert directory.said == []


def test_the_first_of_two_files_with_one_name_is_used_and_the_other_reported(directory: Directory) -> None:
    first = directory.write("10.conf", plugin("net", "bridge"))
    second = directory.write("20.conf", plugin("net", "macvlan"))
    assert types(directory.find("net")) == ["bridge"]
    assert directory.said == [f"passed over: {second} defines network net once more; {first} is used"]


@pytest.mark.parametrize(
    "content",
    ['{"name": "x",\n\n "type" }', "", "[]", '{"name": 7}', "\x00", '{"name": "x"} more'],
    ids=["cut", "empty", "list", "number", "binary", "more"],
)
def test_a_broken_file_of_another_network_is_passed_over(directory: Directory, content: str) -> None:
    broken = directory.write("00.conflist", content)
    directory.write("10.conf", plugin("net"))
    assert types(directory.find("net")) == ["bridge"]
    [said] = directory.said
    assert str(broken) in said or "name must be a string" in said


def test_a_json_error_tells_file_and_line(directory: Directory) -> None:
    broken = directory.write("10.conf", '{"name": "net",\n "type": bridge}')
    with pytest.raises(DecodingFailure, match=f"{broken} is not JSON: line 2, column 10"):
        load_file(str(broken))


def test_an_error_in_the_wanted_network_names_file_and_path(directory: Directory) -> None:
    wrong = directory.write("10.conflist", {"name": "net", "plugins": [{"type": "bridge"}, {}]})
    with pytest.raises(InvalidNetworkConfig) as caught:
        directory.find("net")
    assert caught.value.message == f"{wrong}: plugins[1].type: the plugin's type is missing"


def test_an_absent_network_is_told_with_those_that_are_there(directory: Directory) -> None:
    directory.write("10.conf", plugin("blue"))
    directory.write("20.conflist", conflist("green", "bridge"))
    broken = directory.write("30.conflist", "{")
    with pytest.raises(InvalidNetworkConfig) as caught:
        directory.find("red")
    assert caught.value.message == f"there is no network red in {directory.path}; there are blue, green"
    assert str(broken) in caught.value.details


@pytest.mark.parametrize("missing", [False, True])
def test_an_empty_directory_is_told_apart(directory: Directory, missing: bool) -> None:
    if missing:
        directory.path /= "missing"
    with pytest.raises(InvalidNetworkConfig, match="there is no network configuration in"):
        directory.find("net")


@pytest.mark.parametrize("name", ["../../etc", "", "a/b", "-net", "net\n", "."])
def test_a_name_is_validated_before_anything_is_read(directory: Directory, name: str) -> None:
    with pytest.raises(InvalidNetworkConfig, match="is not a network name"):
        directory.find(name)


def test_a_list_whose_name_is_a_path_reads_no_other_directory(directory: Directory) -> None:
    directory.write("outside/extra.conf", {"type": "evil"})
    inside = Directory(directory.path / "net.d")
    wrong = inside.write("10.conflist", conflist("../outside", "bridge"))
    with pytest.raises(InvalidNetworkConfig, match=r"'\.\./outside' is not a network name"):
        load_file(str(wrong))


def test_plugins_of_the_list_s_own_directory_are_appended_in_order(directory: Directory) -> None:
    directory.write("10.conflist", conflist("net", "bridge"))
    directory.write("net/20.conf", {"type": "tuning"})
    directory.write("net/10.conf", {"type": "sbr"})
    directory.write("net/30.conflist", {"type": "ignored"})
    assert types(directory.find("net")) == ["bridge", "sbr", "tuning"]


@pytest.mark.parametrize("flag", [True, "true", "TRUE"])
def test_a_list_may_refuse_them(directory: Directory, flag: object) -> None:
    directory.write("10.conflist", conflist("net", "bridge", loadOnlyInlinedPlugins=flag))
    directory.write("net/10.conf", {"type": "sbr"})
    assert types(directory.find("net")) == ["bridge"]


def test_a_list_may_consist_of_them(directory: Directory) -> None:
    directory.write("10.conflist", {"name": "net", "cniVersion": "1.0.0"})
    directory.write("net/10.conf", {"type": "bridge"})
    assert types(directory.find("net")) == ["bridge"]


@pytest.mark.parametrize(
    "more", [{}, {"plugins": []}, {"loadOnlyInlinedPlugins": True}, {"loadOnlyInlinedPlugins": "perhaps"}]
)
def test_a_list_of_nothing_is_refused(directory: Directory, more: dict[str, object]) -> None:
    directory.write("10.conflist", {"name": "net", "cniVersion": "1.0.0", **more})
    if more.get("plugins") == []:
        directory.write("net/10.conf", {"type": "bridge"})
    with pytest.raises(CniError) as caught:
        directory.find("net")
    assert "10.conflist: " in caught.value.message


def test_a_broken_file_of_the_list_s_own_directory_is_an_error(directory: Directory) -> None:
    directory.write("10.conflist", conflist("net", "bridge"))
    broken = directory.write("net/10.conf", "{")
    with pytest.raises(DecodingFailure, match=str(broken)):
        directory.find("net")


def test_completing_a_list_twice_adds_nothing(directory: Directory) -> None:
    directory.write("net/10.conf", {"type": "sbr"})
    once = complete(Section(conflist("net", "bridge")), str(directory.path))
    assert complete(once, str(directory.path)).raw == once.raw
    assert types(Network(once)) == ["bridge", "sbr"]


def test_a_link_to_a_file_is_followed(directory: Directory, tmp_path: Path) -> None:
    real = Directory(tmp_path / "elsewhere").write("real", plugin("net"))
    (directory.path / "10.conf").symlink_to(real)
    assert types(directory.find("net")) == ["bridge"]


def test_a_network_without_version_takes_the_caller_s(directory: Directory) -> None:
    directory.write("10.conf", {"name": "net", "type": "bridge"})
    assert directory.find("net", version="0.4.0").version == "0.4.0"


def test_a_file_that_is_not_there_is_told(directory: Directory) -> None:
    with pytest.raises(InvalidNetworkConfig, match="there is no file"):
        load_file(str(directory.path / "10.conf"))


def test_a_name_that_no_network_has_is_told_as_such_before_a_directory_is_looked_for(directory: Directory) -> None:
    path = directory.write("a.conflist", {"name": "n" * 300, "plugins": [{"type": "bridge"}]})
    with pytest.raises(InvalidNetworkConfig, match="name: it is 300 characters long"):
        load_file(str(path))
