"""The journal: what was written is what is read, and what was damaged is never taken for something else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.errors import DecodingFailure, IoFailure
from cni_multus.cni.result import Dns, Interface, IpConfig, Result, Route
from cni_multus.state.journal import Attachment, Journal, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node, Pod

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=4)
CIDR = st.builds(
    lambda number, prefix: Cidr(Ip(4, number), prefix), st.integers(0, 2**32 - 1), st.integers(0, 32)
) | st.builds(lambda number, prefix: Cidr(Ip(6, number << 64), prefix), st.integers(1, 2**64 - 1), st.integers(0, 128))
NUMBER = st.integers(0, 2**32 - 1)


@st.composite
def results(draw: Callable[[Any], Any]) -> Result:
    interfaces = [Interface(draw(TEXT), draw(TEXT), draw(TEXT), draw(NUMBER)) for _ in range(draw(st.integers(0, 3)))]
    at = st.none() | st.integers(0, max(0, len(interfaces) - 1))
    ips = [IpConfig(draw(CIDR), None, draw(at)) for _ in range(draw(st.integers(0, 3)))]
    routes = [Route(draw(CIDR), mtu=draw(NUMBER), table=draw(NUMBER)) for _ in range(draw(st.integers(0, 2)))]
    return Result(interfaces, ips, routes, Dns((draw(TEXT),), draw(TEXT)))


@st.composite
def kept(draw: Callable[[Any], Any]) -> Record:
    record = Record("pod-1", "eth0", draw(TEXT), draw(st.dictionaries(TEXT, TEXT, max_size=3)))
    record.complete, record.failed = draw(st.booleans()), draw(st.booleans())
    for _ in range(draw(st.integers(0, 3))):
        attachment = Attachment(draw(OBJECT), draw(TEXT), draw(TEXT), draw(OBJECT))
        attachment.result = draw(st.none() | results())
        attachment.status = draw(st.lists(OBJECT, max_size=2))
        record.attachments.append(attachment)
    return record


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    made = Journal(str(tmp_path_factory.mktemp("journal")))
    made.make()
    return made


@given(record=kept())
def test_what_was_written_is_read(journal: Journal, record: Record) -> None:
    journal.write(record)
    found = journal.find("pod-1", "eth0")
    assert found is not None
    assert found.to_json() == record.to_json()
    journal.remove("pod-1", "eth0")


def a_record() -> Record:
    record = Record("pod-1", "eth0", "/run/netns/pod", {"K8S_POD_NAME": "web"})
    record.attachments = [Attachment({"name": "primary", "type": "bridge"}, "1.0.0", "eth0", {"aliases": ["web"]})]
    return record


def test_a_record_that_is_cut_anywhere_is_never_taken_for_another(tmp_path: Path) -> None:
    """A crash costs the last line at most: before it stands the plan, and DEL needs no more."""
    journal = Journal(str(tmp_path))
    journal.make()
    record = a_record()
    journal.write(record)
    plan = record.to_json()
    path = tmp_path / "journal" / "pod-1@eth0"
    first = path.stat().st_size
    record.complete = True
    journal.write(record)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if length == 0:
            assert journal.find("pod-1", "eth0") is None
        elif length < first - 1:
            with pytest.raises(DecodingFailure, match="no record that is whole"):
                journal.find("pod-1", "eth0")
        else:
            found = journal.find("pod-1", "eth0")
            assert found is not None
            assert found.to_json() == (record.to_json() if length == len(data) - 1 else plan)


def test_a_bit_that_flips_is_noticed(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.make()
    journal.write(a_record())
    path = tmp_path / "journal" / "pod-1@eth0"
    data = path.read_bytes().strip()
    for at in range(0, len(data), 3):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(DecodingFailure):
            journal.find("pod-1", "eth0")


def test_what_is_written_after_a_torn_line_is_whole(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.make()
    path = tmp_path / "journal" / "pod-1@eth0"
    path.write_bytes(b"\n1234abcd {half of a rec")
    journal.write(a_record())
    found = journal.find("pod-1", "eth0")
    assert found is not None
    assert found.to_json() == a_record().to_json()


DAMAGE = {
    "garbage": b"\x00\xff garbage\n",
    "somebody else's": b'[{"Conf": {"name": "primary"}}]',
    "half a line": b'\n1234abcd {"format": 1, "containerID": "pod',
    "zeros": bytes(4096),
}


def configured(node: Node) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.program("calico"))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_made_up_for_by_the_configuration(node: Node, pod: Pod, damage: str) -> None:
    """The Go Multus returns success, calls nobody, and leaves the file for ever."""
    config = configured(node)
    node.call("ADD", config, pod).succeeded()
    node.record_file(pod).write_bytes(DAMAGE[damage])
    message = node.call("CHECK", config, pod).failed(102)
    assert "cannot be read" in message
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}
    assert len(node.calls("DEL")) == 1


def test_an_empty_record_is_an_add_that_never_began_or_a_record_that_was_destroyed(node: Node, pod: Pod) -> None:
    """The file is made, and locked, before the plan is written to it: a DEL asks for what may be there."""
    config = configured(node)
    node.record_file(pod).parent.mkdir(parents=True)
    node.record_file(pod).touch()
    assert "no record" in node.call("CHECK", config, pod).failed(102)
    node.call("DEL", config, pod).succeeded()
    assert len(node.calls("DEL")) == len(node.calls()) == 1
    assert node.records() == []
    node.record_file(pod).touch()
    node.call("ADD", config, pod).succeeded()


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_add_over_a_damaged_record_works(node: Node, pod: Pod, damage: str) -> None:
    config = configured(node)
    node.call("ADD", config, pod).succeeded()
    node.record_file(pod).write_bytes(DAMAGE[damage])
    node.call("ADD", config, pod).succeeded()
    node.call("CHECK", config, pod).succeeded()
    node.call("DEL", config, pod).succeeded()
    assert node.remains(pod) == {}


def test_a_damaged_record_and_a_broken_configuration_still_end(node: Node, pod: Pod) -> None:
    node.call("ADD", node.config(node.program("calico")), pod).succeeded()
    node.record_file(pod).write_bytes(b"garbage")
    node.call("DEL", node.config(delegates="garbage"), pod).succeeded()
    assert node.records() == []


@pytest.mark.parametrize("step", range(8))
def test_a_record_cut_short_is_made_up_for(node: Node, pod: Pod, step: int) -> None:
    config = node.config(node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue"))
    path = node.record_file(pod)
    node.call("ADD", config, pod).succeeded()
    size = path.stat().st_size
    for length in range(1 + step, size, 8 * 19):
        os.truncate(path, length)
        node.call("DEL", config, pod).succeeded()
        assert node.remains(pod) == {}, length
        node.call("ADD", config, pod).succeeded()


@pytest.mark.parametrize("obstacle", ["directory", "symlink", "fifo"])
def test_what_is_no_file_is_told_and_harms_nobody(node: Node, pod: Pod, tmp_path: Path, obstacle: str) -> None:
    config = node.config(node.macvlan("red", "10.2.0.0/24"))
    path = node.record_file(pod)
    path.parent.mkdir(parents=True)
    target = tmp_path / "target"
    target.write_text("precious")
    if obstacle == "directory":
        path.mkdir()
    elif obstacle == "symlink":
        path.symlink_to(target)
    else:
        os.mkfifo(path)
    node.call("ADD", config, pod).failed(5)
    assert pod.links() == {}
    assert target.read_text() == "precious"


def test_a_journal_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    """For GC: no record seen is not the same as no record there."""
    (tmp_path / "journal").write_text("")
    with pytest.raises(IoFailure):
        Journal(str(tmp_path)).keys()


def test_a_record_in_the_file_of_another_sandbox_is_not_its_own(tmp_path: Path) -> None:
    """What is written next for it would go to the other one's file."""
    journal = Journal(str(tmp_path))
    journal.make()
    journal.write(a_record())
    (tmp_path / "journal" / "pod-1@eth0").rename(tmp_path / "journal" / "pod-2@eth0")
    with pytest.raises(DecodingFailure, match="holds the record of another sandbox, 'pod-1@eth0'"):
        journal.find("pod-2", "eth0")
