"""The entry of the binary: the name it was called by decides what it is."""

from __future__ import annotations

import os
import sys

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
    command = os.environ.get("CNI_COMMAND")
    if not command:
        from cni_multus.cli.about import about

        _say(about(kind))
        return 0
    if command == "VERSION":
        # Runtimes ask before every ADD and DEL: nothing is imported for the answer.
        return _tell_versions()
    from cni_multus.cni.conversation import hold

    def plugin() -> Plugin:
        found = load(kind)
        assert found is not None, kind
        return found

    return hold(plugin, os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)


def _tell_versions() -> int:
    from cni_multus.cni.versions import spoken

    try:
        sys.stdout.write(spoken())
        sys.stdout.flush()
    except OSError as error:
        _say(f"cannot write the answer to standard output: {error.strerror}\n")
        return 1
    return 0


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        return  # nobody listens


def _mend_streams() -> None:
    """Let a standard stream that the caller closed refuse, so that nobody meets None."""
    for name, mode, flags in (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            # This takes the lowest number: below three there is none left for a delegate's pipe.
            setattr(sys, name, os.fdopen(os.open("/dev/null", flags), mode))


if __name__ == "__main__":
    _mend_streams()
    status = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Who speaks CNI has told this already; what is left to say cannot be said.
            status = status or (1 if stream is sys.stdout else 0)
    # The interpreter's own end would cost 1.5 ms and has nothing left to do.
    os._exit(status)
