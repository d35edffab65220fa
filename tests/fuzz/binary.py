"""The built program, as a runtime executes it, with inputs that are nearly right: `python -m tests.fuzz.binary N`.

Each answer is one document, with a code that is one; after what is wrong with the request itself, nothing has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

from cni_multus.linux.links import list_links
from cni_multus.linux.netns import Namespace
from cni_multus.registry import MODULES
from tests.fuzz import sandbox
from tests.fuzz.structured import mutated
from tests.fuzz.target import find
from tests.fuzz.targets.plugins import CODES, WRONG
from tests.fuzz.targets.protocol import ENVIRONMENT, NETNS
from tools.build import PROGRAM

PLACES = ("/run", "/var/lib/cni", "/etc/cni", "/opt/cni")
PATIENCE = 60.0
"""Seconds that a process has on a machine that is busy: it takes some hundredths of one."""


def main() -> int:
    """Try so many inputs; the exit status is 1 with the first that is not answered as it should be."""
    random = Random("binary")
    target = find("plugins")
    inputs = [*target.seeds(), *target.kept(), *find("stdin").kept()]
    sandbox.enter()
    Path(NETNS).parent.mkdir(parents=True)
    refused = 0
    for _ in range(int(sys.argv[1])):
        stdin = mutated(random.choice(inputs), random, target.words)
        verb, kind = random.choice(("ADD", "CHECK", "STATUS", "DEL", "GC")), _kind(stdin, random)
        before = _state()
        code = _answer(kind, verb, stdin, mutated(json.dumps(_environment(verb)).encode(), random))
        if code in WRONG and verb in ("ADD", "CHECK", "STATUS"):
            refused += 1
            assert _state() == before, (kind, verb, stdin, before, _state())
    print(f"{sys.argv[1]} inputs, {refused} of them refused, and nothing touched by those")
    return 0


def _environment(verb: str) -> dict[str, str]:
    return {**ENVIRONMENT, "CNI_COMMAND": verb}


def _kind(stdin: bytes, random: Random) -> str:
    try:
        told = json.loads(stdin)["type"]
    except (ValueError, LookupError, TypeError, RecursionError):
        told = ""
    return told if isinstance(told, str) and told in MODULES and told != "multus" else random.choice(sorted(MODULES))


def _answer(kind: str, verb: str, stdin: bytes, environment: bytes) -> int:
    """The code of what the program answers, 0 where it is no error."""
    try:
        told = json.loads(environment)
    except ValueError:
        told = None
    variables = _environment(verb)
    if isinstance(told, dict):
        variables = {str(key): str(value) for key, value in told.items() if _is_variable(str(key), str(value))}
    variables["CNI_NETNS"] = NETNS  # nobody's: the sandbox's own is not to be changed
    done = subprocess.run(
        [kind],
        executable=PROGRAM,
        input=stdin,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **variables},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode in (0, 1), (kind, verb, stdin, done)
    if done.returncode == 0:
        assert not done.stdout or isinstance(json.loads(done.stdout), dict), done
        return 0
    document = json.loads(done.stdout)
    assert document["code"] in CODES, (kind, verb, stdin, environment, document, done.stderr.decode())
    assert document["msg"]
    return int(document["code"])


def _is_variable(key: str, value: str) -> bool:
    """What can be in an environment, and is a runtime's."""
    return key.startswith("CNI_") and "=" not in key and "\0" not in key + value and (key + value).isprintable()


def _state() -> list[object]:
    """Every file where the program keeps some, and every link."""
    found: list[object] = []
    for place in PLACES:
        for directory, _, names in os.walk(place):
            found += [(directory, name, os.lstat(f"{directory}/{name}").st_mtime_ns) for name in sorted(names)]
            found.append(directory)
    with Namespace.host() as host:
        return [*sorted(map(str, found)), *[link.name for link in list_links(host)]]


if __name__ == "__main__":
    sys.exit(main())
