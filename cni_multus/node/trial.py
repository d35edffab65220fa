"""A program tried out where it is to be executed, before a link leads to it; it knows nothing of versions and links.

What works in the image need not work on the node: another architecture, a file system that is mounted noexec, a loader
that is not there. So it is executed, with the node's root as its own where this process may do that and has the whole
of it: at the root that it was given, or at that of the node's first process.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from contextlib import nullcontext
from functools import partial

from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError, InvalidEnvironment
from cni_multus.node import interpreter
from cni_multus.node.root import seen_from

PATIENCE = 60.0
"""Seconds for an answer."""
_MOST_SHOWN = 200
_SIGNALS = {each.value: each.name for each in signal.Signals}


def run(root: str, program: str, version: str) -> None:
    """Ask it for its version, as a command and as a plugin; raises InvalidEnvironment where it does not answer both.

    `program` is where this process sees it.
    """
    top = _node_root(root, program)
    with nullcontext(seen_from(root, program)) if top else interpreter.startable(program) as inside:
        _ask(program, inside, version, top)


def _ask(program: str, inside: str, version: str, top: str) -> None:
    said = _answer(program, [inside, "--version"], {}, top)
    if said.strip() != f"multus {version}":
        raise _failed(program, f"asked for its version, it said {said.strip()[:_MOST_SHOWN]!r}, not 'multus {version}'")
    said = _answer(program, [inside], {"CNI_COMMAND": "VERSION"}, top)
    try:
        versions = parse_object(said.encode(), "its answer").get("supportedVersions")
    except CniError as error:
        raise _failed(program, f"it does not answer as a plugin: {error.message}") from None
    if not versions:
        raise _failed(program, f"it does not answer as a plugin: it said {said.strip()[:_MOST_SHOWN]!r}")


def _node_root(root: str, program: str) -> str:
    """Where the whole of the node's root is, "" where it is ours already, or cannot be made so."""
    top = os.path.realpath(root)
    if top == "/":
        return ""
    for place in (f"{top}/proc/1/root", top):
        try:
            is_the_node = os.path.samefile(f"{place}{seen_from(root, program)}", program)
        except OSError:  # it is another's, or may not be looked at
            continue
        # Directories of a node that were mounted one by one make no root: neither its programs nor /proc are there.
        if is_the_node and os.path.isdir(f"{place}/usr") and os.path.isdir(f"{place}/proc/self"):
            return place if _may_enter(place) else ""
    return ""


def _may_enter(top: str) -> bool:
    """Whether this process has the right to (CAP_SYS_CHROOT)."""
    pid = os.fork()
    if pid == 0:
        try:
            os.chroot(top)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _enter(top: str) -> None:
    os.chroot(top)
    os.chdir("/")


def _answer(program: str, command: list[str], asked: dict[str, str], top: str) -> str:
    """What it prints; raises InvalidEnvironment where it is not executed, or fails."""
    try:
        done = subprocess.run(
            command,
            env={"PATH": os.environ.get("PATH", os.defpath), **asked},
            input='{"cniVersion":"1.0.0"}',
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
            preexec_fn=partial(_enter, top) if top else None,
        )
    except subprocess.TimeoutExpired:
        raise _failed(program, f"it gave no answer within {PATIENCE:.0f} s") from None
    except OSError as error:
        raise _failed(program, _why(error)) from None
    if done.returncode < 0:
        raise _failed(program, f"it was ended by {_SIGNALS.get(-done.returncode, -done.returncode)}")
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-_MOST_SHOWN:]
        raise _failed(program, f"it ended with status {done.returncode}: {said}")
    return done.stdout


def _why(error: OSError) -> str:
    said = (error.strerror or str(error)).lower()
    if error.errno == errno.ENOENT:
        return f"what starts it, its interpreter or loader, is not there ({said})"
    if error.errno == errno.EACCES:
        return f"it may not be executed there; is the file system mounted noexec? ({said})"
    if error.errno == errno.ENOEXEC:
        return f"it is no program for this architecture, {os.uname().machine} ({said})"
    return said


def _failed(program: str, why: str) -> InvalidEnvironment:
    return InvalidEnvironment(f"{program} does not run on this node: {why}; what is executed there stays as it is")
