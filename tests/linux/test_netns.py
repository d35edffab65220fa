"""Namespaces: what is one, what is not, and that nobody stays in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.errors import InvalidNetns, IoFailure
from cni_multus.linux.links import add_bridge, find_link
from cni_multus.linux.netns import Namespace, same_namespace, setns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

OWN = "/proc/thread-self/ns/net"


def here() -> int:
    return os.stat(OWN).st_ino


def test_inside_is_inside_and_back_again(container: Namespace) -> None:
    before = here()
    with container.inside():
        assert here() == container.identity[1] != before
    assert here() == before


def test_cookies_tell_namespaces_apart(host: Namespace, container: Namespace) -> None:
    with Namespace.open(container.path) as again:
        assert 0 != host.cookie != container.cookie == again.cookie


def test_inside_returns_when_the_body_raises(container: Namespace) -> None:
    before = here()
    with pytest.raises(ZeroDivisionError), container.inside():
        raise ZeroDivisionError
    assert here() == before


def test_inside_can_be_nested(host: Namespace, container: Namespace) -> None:
    before = here()
    with host.inside():
        with container.inside():
            assert here() == container.identity[1]
        assert here() == host.identity[1]
    assert here() == before


def test_threads_are_inside_one_by_one(host: Namespace, container: Namespace) -> None:
    """Many threads enter two namespaces at once: each is where it went, and comes back to where it was."""
    home = here()
    together = threading.Barrier(8)

    def visit(number: int) -> bool:
        target = (host, container)[number % 2]
        together.wait()
        for _ in range(50):
            with target.inside():
                if here() != target.identity[1]:
                    return False
            if here() != home:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(visit, range(8)))
    assert here() == home


def test_inside_leaves_no_descriptor_behind(container: Namespace) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with container.inside():
            pass
    assert os.listdir("/proc/self/fd") == before


def test_a_closed_namespace_cannot_be_entered(host: Namespace) -> None:
    host.close()
    before = here()
    with pytest.raises(InvalidNetns, match="cannot enter the network namespace"), host.inside():
        pass
    assert here() == before


def test_the_own_namespace_needs_no_entering(netns: Callable[[], str]) -> None:
    path = netns()

    def work() -> tuple[bool, bool, str]:
        with Namespace.open(path) as other:
            setns(other.fd)
        # This thread stands for a process that was started in that namespace.
        with Namespace.host() as own:
            add_bridge(own, "br0")
            with own.inside():
                inside = here()
            return inside == own.identity[1], same_namespace(path), str(own)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == (True, True, "the host namespace")
    with Namespace.open(path) as other:
        assert find_link(other, "br0")


def test_a_socket_stays_in_its_namespace(host: Namespace, container: Namespace, kernel: Callable[..., Any]) -> None:
    with host.inside():
        add_bridge(container, "br0")
    assert kernel(container).link_lookup(ifname="br0")
    assert not kernel(host).link_lookup(ifname="br0")


def test_a_path_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidNetns, match=r"absent: no such file$"):
        Namespace.open(str(tmp_path / "absent"))


def make_file(path: Path) -> None:
    path.write_text("stale")


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_directory(path: Path) -> None:
    path.mkdir()


def make_other_kind(path: Path) -> None:
    path.symlink_to("/proc/self/ns/uts")


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [make_file, make_fifo, make_directory, make_other_kind])
def test_a_path_that_is_something_else(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "something"
    make(path)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(InvalidNetns, match="not a network namespace"):
        Namespace.open(str(path))
    assert Namespace.find(str(path)) is None
    assert os.listdir("/proc/self/fd") == before


def test_find_knows_when_it_is_gone(tmp_path: Path, container: Namespace) -> None:
    make_loop(tmp_path / "loop")
    gone = ["", "nul\0", str(tmp_path / "absent"), str(tmp_path / "loop"), container.path + "/below", "x" * 5000]
    assert [Namespace.find(path) for path in gone] == [None] * len(gone)


def test_find_opens_what_is_there(container: Namespace) -> None:
    found = Namespace.find(container.path)
    assert found is not None
    with found:
        assert found.identity == container.identity


def test_running_out_of_descriptors_does_not_look_like_a_namespace_that_is_gone(container: Namespace) -> None:
    """DEL must not skip a container's clean-up because this process is short of something."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(IoFailure, match="Too many open files"):
            Namespace.find(container.path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_same_namespace(container: Namespace, tmp_path: Path) -> None:
    assert same_namespace("/proc/self/task/" + str(threading.get_native_id()) + "/ns/net")
    assert not same_namespace(container.path)
    assert not same_namespace(str(tmp_path / "absent"))
    with container.inside():
        assert same_namespace(container.path)


def test_setns_says_why_not() -> None:
    with open("/proc/self/ns/uts") as other, pytest.raises(OSError, match="Invalid argument"):
        setns(other.fileno())


STRANDED = """
import os
import subprocess
import sys
from cni_multus.linux.netns import Namespace

with Namespace.open({path!r}) as container, container.inside():
    os.closerange(3, 100)
print("went on in the wrong namespace")
"""


def test_a_thread_that_cannot_return_ends_the_process(container: Namespace) -> None:
    program = [sys.executable, "-c", STRANDED.format(path=container.path)]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    told = json.loads(result.stdout)
    assert (result.returncode, told["code"]) == (1, 999)
    assert told["msg"] == f"cannot leave the network namespace {container.path}: Bad file descriptor"
