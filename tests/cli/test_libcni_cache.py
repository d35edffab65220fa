import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.document import print_compact
from cni_multus.cni.errors import CniError, IoFailure
from cni_multus.state import libcni_cache
from cni_multus.state.libcni_cache import Entry

CONFIG = b'{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"}]}'

WRITTEN_BY_LIBCNI = {
    "kind": "cniCacheV1",
    "containerId": "c1",
    "config": base64.b64encode(CONFIG).decode(),
    "ifName": "eth0",
    "networkName": "net",
    "netns": "/var/run/netns/c1",
    "cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAME", "a=b"]],
    "capabilityArgs": {"mac": "02:00:00:00:00:01"},
    "result": {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/24"}], "dns": {}},
}

texts = st.text(max_size=8)
names = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,6}", fullmatch=True)


def entry(network: str = "net", container_id: str = "c1", ifname: str = "eth0", **more: Any) -> Entry:
    return Entry(network, container_id, ifname, **more)


def stored(directory: Path, name: str, content: object = WRITTEN_BY_LIBCNI) -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def keys(found: list[Entry]) -> list[tuple[str, str, str]]:
    return [one.key for one in found]


def test_what_libcni_wrote_is_read(tmp_path: Path) -> None:
    stored(tmp_path, "net-c1-eth0")
    found = libcni_cache.read(str(tmp_path), "net", "c1", "eth0")
    assert found is not None
    assert (found.config, found.netns) == (CONFIG, "/var/run/netns/c1")
    assert found.cni_args == [("IgnoreUnknown", "1"), ("K8S_POD_NAME", "a=b")]
    assert found.capability_args == {"mac": "02:00:00:00:00:01"}
    assert found.result == WRITTEN_BY_LIBCNI["result"]


def test_what_is_written_is_what_libcni_would_write(tmp_path: Path) -> None:
    libcni_cache.write(str(tmp_path / "results"), Entry.parse(json.dumps(WRITTEN_BY_LIBCNI).encode(), "it"))
    path = tmp_path / "results" / "net-c1-eth0"
    assert json.loads(path.read_bytes()) == WRITTEN_BY_LIBCNI
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@given(
    st.tuples(names, names, names),
    st.binary(max_size=40),
    texts,
    st.lists(st.tuples(texts, texts), max_size=3),
    st.dictionaries(texts, st.integers() | texts, max_size=3),
    st.none() | st.dictionaries(texts, texts, max_size=3),
)
def test_parse_is_the_inverse_of_to_json(
    key: tuple[str, str, str],
    config: bytes,
    netns: str,
    cni_args: list[tuple[str, str]],
    capability_args: dict[str, object],
    result: dict[str, object] | None,
) -> None:
    written = Entry(*key, netns=netns.replace("\0", ""), config=config)
    written.cni_args, written.capability_args, written.result = cni_args, capability_args, result
    read = Entry.parse(print_compact(written.to_json()), "it")
    assert all(getattr(read, slot) == getattr(written, slot) for slot in Entry.__slots__)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff",
        b"[]",
        b'{"cniVersion": "0.4.0", "ips": []}',
        {**WRITTEN_BY_LIBCNI, "kind": "cniCacheV2"},
        {**WRITTEN_BY_LIBCNI, "config": "a"},
        {**WRITTEN_BY_LIBCNI, "config": "é"},
        {**WRITTEN_BY_LIBCNI, "containerId": ""},
        {**WRITTEN_BY_LIBCNI, "cniArgs": [["a"]]},
        {**WRITTEN_BY_LIBCNI, "result": []},
        json.dumps(WRITTEN_BY_LIBCNI).encode()[:-40],
    ],
    ids=["empty", "open", "binary", "list", "legacy", "kind", "base64", "unicode", "no-id", "pair", "result", "cut"],
)
def test_a_file_that_is_not_whole_counts_as_none(tmp_path: Path, content: object) -> None:
    stored(tmp_path, "net-c1-eth0", content)
    stored(tmp_path, "other-c2-eth0", {**WRITTEN_BY_LIBCNI, "networkName": "other", "containerId": "c2"})
    assert libcni_cache.read(str(tmp_path), "net", "c1", "eth0") is None
    assert keys(libcni_cache.entries(str(tmp_path))) == [("other", "c2", "eth0")]


def test_absent_keys_and_null_are_nothing(tmp_path: Path) -> None:
    least = {key: WRITTEN_BY_LIBCNI[key] for key in ("kind", "containerId", "ifName", "networkName")}
    stored(tmp_path, "net-c1-eth0", {**least, "result": None, "cniArgs": None, "capabilityArgs": None})
    found = libcni_cache.read(str(tmp_path), "net", "c1", "eth0")
    assert found is not None
    assert (found.config, found.cni_args, found.capability_args, found.result) == (b"", [], {}, None)


def test_a_directory_that_is_not_there_has_no_entries(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert libcni_cache.entries(missing) == []
    assert libcni_cache.read(missing, "net", "c1", "eth0") is None
    libcni_cache.remove(missing, entry())


def test_entries_of_one_container_or_network_are_found_by_content(tmp_path: Path) -> None:
    for key in (("a-b", "c", "eth0"), ("a", "b-c", "net1"), ("a", "c", "eth0")):
        libcni_cache.write(str(tmp_path), entry(*key))
    stored(tmp_path, "sub-directory-not-a-file", b"x").unlink()
    (tmp_path / "a-c-directory").mkdir()
    assert keys(libcni_cache.entries(str(tmp_path), container_id="c")) == [("a-b", "c", "eth0"), ("a", "c", "eth0")]
    assert keys(libcni_cache.entries(str(tmp_path), network="a")) == [("a", "b-c", "net1"), ("a", "c", "eth0")]
    assert keys(libcni_cache.entries(str(tmp_path), container_id="c", network="a-b")) == [("a-b", "c", "eth0")]


def test_two_attachments_with_one_file_name_are_told_apart(tmp_path: Path) -> None:
    mine, other = entry("a-b", "c"), entry("a", "b-c")
    assert mine.name == other.name
    libcni_cache.write(str(tmp_path), mine)
    assert libcni_cache.read(str(tmp_path), *other.key) is None
    libcni_cache.remove(str(tmp_path), other)
    with pytest.raises(IoFailure, match="it belongs to network a-b, container c"):
        libcni_cache.write(str(tmp_path), other)
    assert keys(libcni_cache.entries(str(tmp_path))) == [mine.key]


def test_a_damaged_file_is_replaced_and_removed(tmp_path: Path) -> None:
    stored(tmp_path, entry().name, b"")
    libcni_cache.write(str(tmp_path), entry())
    assert keys(libcni_cache.entries(str(tmp_path))) == [entry().key]
    stored(tmp_path, entry().name, b"{")
    libcni_cache.remove(str(tmp_path), entry())
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CniError):
        libcni_cache.write(str(tmp_path / "file" / "results"), entry())


@pytest.mark.parametrize("key", ["networkName", "ifName", "containerId"])
@pytest.mark.parametrize("said", ["../../victim", "/victim", "x" * 300, "another"])
def test_a_file_of_another_name_than_it_says_is_nobodys(tmp_path: Path, key: str, said: str) -> None:
    """What is removed is found by what a file says: this would lead to another one."""
    stored(tmp_path, "net-c1-eth0", {**WRITTEN_BY_LIBCNI, key: said})
    assert libcni_cache.entries(str(tmp_path)) == []
