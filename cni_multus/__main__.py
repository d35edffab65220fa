"""The entry of the binary: the name it was called by decides what it is."""

from __future__ import annotations

import os
import sys

from cni_multus.cni.conversation import hold
from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.registry import MODULES, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.verbs import Plugin


def main() -> int:
    """A plugin when CNI_COMMAND is set or the name is a plugin's, else the operator's command line."""
    name = os.path.basename(sys.argv[0])
    if name != "cnitool" and (os.environ.get("CNI_COMMAND") or (name in MODULES and name != "multus")):
        return converse(name)
    from cni_multus.cli.main import run

    return run(name, sys.argv[1:])


def converse(name: str) -> int:
    """Speak CNI as the plugin `name`, as `multus` where that is none of ours."""
    kind = name if name in MODULES else "multus"
    if not os.environ.get("CNI_COMMAND"):
        from cni_multus.cli.about import about

        sys.stderr.write(about(kind))
        return 0

    def plugin() -> Plugin:
        found = load(kind)
        if found is None:
            raise InvalidEnvironment(f"there is no plugin {kind!r}")
        return found

    return hold(plugin, os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The interpreter's own end would cost 1.5 ms and has nothing left to do.
    os._exit(status)
