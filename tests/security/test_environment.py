"""The built program started where somebody prepared a directory and variables: nothing of theirs is loaded or opened.

Whoever controls the variables of a process of root's is root already (a runtime is); this is about what a shell or a
unit left in them by accident, and about directories that others may write to.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.binary.calls import three
from tools.build import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node, Pod

MODULES = (
    "sitecustomize",
    "usercustomize",
    "json",
    "os",
    "typing",
    "argparse",
    "encodings",
    "traceback",
    "yaml",
    "_json",
)
LIBRARIES = (
    "libpython3.11.so.1.0",
    "libz.so.1",
    "_json.cpython-311-x86_64-linux-gnu.so",
    "_json.so",
    "base_library.zip",
)
OPENED = re.compile(r'(?:open|openat|execve|readlink|stat|newfstatat|access)\([^"]*"([^"]*)"')


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A directory that anybody may write to, with modules, packages and libraries that leave a mark when they run."""
    directory = tmp_path / "evil"
    directory.mkdir()
    directory.chmod(0o1777)
    mark = f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__)\n"
    for name in MODULES:
        (directory / f"{name}.py").write_text(mark)
    for package in ("cni_multus", "plugins", "ipam", "_internal"):
        (directory / package).mkdir()
        (directory / package / "__init__.py").write_text(mark)
    for name in LIBRARIES:
        (directory / name).write_bytes(b"no library")
        (directory / "_internal" / name).write_bytes(b"no library")
    site = directory / ".local" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (site / "usercustomize.py").write_text(mark)
    (site / "evil.pth").write_text(f"import os; {mark}")
    return directory


def variables(evil: Path) -> dict[str, str]:
    """What would lead another Python, or another program, there."""
    names = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONPLATLIBDIR", "TMPDIR", "TEMP")
    return {
        **dict.fromkeys((*names, "TMP", "HOME", "XDG_CONFIG_HOME", "OPENSSL_MODULES"), str(evil)),
        "PYTHONSTARTUP": str(evil / "os.py"),
        "PYTHONBREAKPOINT": "os.system",
        "PYTHONINSPECT": "1",
        "PYTHONEXECUTABLE": str(evil / "python"),
        "OPENSSL_CONF": str(evil / "openssl.cnf"),
        "SSL_CERT_FILE": str(evil / "ca.pem"),
        "_PYI_APPLICATION_HOME_DIR": str(evil),
        "_PYI_ARCHIVE_FILE": str(evil / "archive"),
        "_PYI_PARENT_PROCESS_LEVEL": "1",
        "_MEIPASS2": str(evil),
        "KUBECONFIG": str(evil / "kubeconfig"),
        "http_proxy": "http://192.0.2.1:1",
        "HTTPS_PROXY": "http://192.0.2.1:1",
    }


def opened(
    node: Node, evil: Path, program: str, environment: dict[str, str], stdin: bytes, *arguments: str
) -> set[str]:
    """The names that the program asked the kernel for; it has to succeed."""
    trace = evil.parent / "trace"
    calls = ["/usr/bin/strace", "-f", "-qq", "-o", str(trace), "-s", "300", "-e", "trace=%file"]
    command = ["/usr/bin/nsenter", f"--net={node.host.path}", *calls, program, *arguments]
    ended = subprocess.run(command, env=environment, input=stdin, cwd=evil, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return set(OPENED.findall(trace.read_text()))


def test_no_variable_leads_anywhere_else(node: Node, pod: Pod, evil: Path) -> None:

    config = json.dumps(three(node)).encode()
    for command in ("ADD", "CHECK", "DEL", "VERSION"):
        environment = {**pod.environment(command, str(node.runtime_path)), **variables(evil)}
        names = opened(node, evil, str(PROGRAM), environment, config)
        assert not [name for name in names if name.startswith(str(evil))], command
        assert not [name for name in names if name and not name.startswith("/")], command  # of the working directory
    assert not (evil.parent / "ran").exists()
    assert node.remains(pod) == {}


@pytest.mark.parametrize("arguments", [["version"], ["plugins"], ["ipam", "show", "--no-api"], ["node", "--help"]])
def test_nor_do_the_operators_commands_load_anything(node: Node, evil: Path, arguments: list[str]) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **variables(evil)}
    names = opened(node, evil, str(PROGRAM), environment, b"", *arguments)
    assert not [name for name in names if name.startswith(str(evil)) and name.endswith((".py", ".so", ".zip", ".pth"))]
    assert not [name for name in names if name and not name.startswith("/")]
    assert not (evil.parent / "ran").exists()


def test_a_link_to_the_program_brings_nothing_of_its_directory(node: Node, pod: Pod, evil: Path) -> None:
    """The bundle is beside the program, and not beside the name that it was called by."""
    (evil / "multus").symlink_to(PROGRAM)
    shutil.copytree(evil / "_internal", evil / "lib")
    environment = pod.environment("VERSION", str(node.runtime_path))
    names = opened(node, evil, str(evil / "multus"), environment, b"{}")
    assert {name for name in names if name.startswith(str(evil))} <= {str(evil / "multus"), str(evil)}
    assert not (evil.parent / "ran").exists()


def test_the_program_is_not_setuid() -> None:
    """So nobody who is not root can lend it his variables, LD_PRELOAD among them, and be root by that."""
    for directory, _, names in os.walk(PROGRAM.parent):
        for name in names:
            assert not os.lstat(os.path.join(directory, name)).st_mode & 0o6000
            if not os.path.islink(os.path.join(directory, name)):
                assert "security.capability" not in os.listxattr(os.path.join(directory, name))
