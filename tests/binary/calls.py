"""The built program called on a node, as a runtime does it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.node import Answer, Node, Pod
from tools.build import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def three(node: Node, **more: object) -> dict[str, Any]:
    return node.config(node.bridge(), node.macvlan("red", "10.2.0.0/24"), node.macvlan("blue"), **more)


def call(
    node: Node,
    environment: Mapping[str, str],
    stdin: object = b"",
    *before: str,
    program: str = str(PROGRAM),
    redirected: str = "",
    cwd: Path | None = None,
) -> Answer:
    """Run the program on the node; `redirected` is the shell's, as in `<&-`, `before` a command that starts it."""
    data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
    command = ["/usr/bin/nsenter", f"--net={node.host.path}", *before]
    if redirected:
        command += ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh"]
    ended = subprocess.run([*command, program], env=environment, input=data, capture_output=True, cwd=cwd, check=False)
    return Answer(ended.returncode, ended.stdout, ended.stderr)


def ask(node: Node, pod: Pod | None, command: str, config: object, *before: str, **options: Any) -> Answer:
    """The same with what a runtime sets."""
    environment = (pod or Pod("", "")).environment(command, str(node.runtime_path))
    if pod is None:
        environment = {key: environment[key] for key in ("PATH", "CNI_COMMAND", "CNI_PATH")}
    return call(node, environment, config, *before, **options)
