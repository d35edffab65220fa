"""The programs of iptables: one process reads a table, one changes it, all at once or not at all."""

from __future__ import annotations

import os

from cni_multus.cni.errors import IoFailure, NetlinkFailure, TryAgainLater
from cni_multus.linux.nftables import Table
from cni_multus.linux.nftlists import has_chain, list_chains
from cni_multus.program import Outcome, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.linux.netns import Namespace

DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin")
LOCK_WAIT = 5
"""Seconds that somebody else's change may take."""

_TIMEOUT = 30.0
_LOCKED = 4
"""The exit status that tells of somebody else's lock."""

_FAMILIES = {4: 2, 6: 10}
_PREFIXES = {4: "ip", 6: "ip6"}


class Rule:
    """One rule as iptables-save writes it: the chain it is in, `text` after the chain's name, and its words."""

    __slots__ = ("chain", "text", "words")

    def __init__(self, chain: str, text: str) -> None:
        self.chain = chain
        self.text = text
        self.words = split(text)

    def option(self, name: str) -> str:
        """What follows an option, "" where the rule does not have it."""
        return self.words[self.words.index(name) + 1] if name in self.words[:-1] else ""


def find_program(name: str) -> str:
    """Where a program of that name is, "" where it is not on this node."""
    paths = [f"{directory}/{name}" for directory in DIRECTORIES]
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def may_have(host: Namespace, family: int, table: str, chain: str) -> bool:
    """Whether a table of iptables can have that chain: told without a process, and exactly, if it is nftables' own."""
    try:
        if has_chain(host, Table(_FAMILIES[family], table), chain):
            return True
    except (NetlinkFailure, IoFailure):
        pass  # a kernel that does not know nftables
    return _is_legacy(host, family, table)


def may_have_some(host: Namespace, family: int, table: str, start: str) -> bool:
    """The same of chains whose names start with something."""
    try:
        if any(chain.startswith(start) for chain in list_chains(host, Table(_FAMILIES[family], table))):
            return True
    except (NetlinkFailure, IoFailure):
        pass
    return _is_legacy(host, family, table)


def _is_legacy(host: Namespace, family: int, table: str) -> bool:
    """Whether the kernel has the table in the form that it had before nftables."""
    with host.inside():
        try:
            with open(f"/proc/thread-self/net/{_PREFIXES[family]}_tables_names", "rb") as names:
                return table.encode() in names.read().split()
        except OSError:
            return False


def read_rules(host: Namespace, family: int, table: str) -> list[Rule]:
    """Every rule of a table, in their order."""
    return read_table(host, family, table)[1]


def read_table(host: Namespace, family: int, table: str) -> tuple[set[str], list[Rule]]:
    """The names of a table's chains, and its rules in their order."""
    outcome = _run(host, family, "save", ("-t", table), b"", f"cannot list the {table} table")
    lines = outcome.stdout.decode(errors="surrogateescape").splitlines()
    split_lines = [line.split(" ", 2) for line in lines if line.startswith("-A ")]
    chains = {line[1:].partition(" ")[0] for line in lines if line.startswith(":")}
    return chains, [Rule(chain, "".join(text)) for _, chain, *text in split_lines]


def change(host: Namespace, family: int, table: str, lines: list[str], attempt: str) -> None:
    """Do what the lines say, as iptables-restore reads them; NetlinkFailure, and nothing is changed."""
    stdin = "\n".join([f"*{table}", *lines, "COMMIT", ""]).encode(errors="surrogateescape")
    _run(host, family, "restore", ("-w", str(LOCK_WAIT), "--noflush"), stdin, attempt)


def quoted(text: str) -> str:
    """A word as iptables-restore reads it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def split(text: str) -> list[str]:
    """The words of a line that iptables-save wrote."""
    words: list[str] = []
    word = ""
    started = inside = escaped = False
    for character in text:
        if escaped or (character not in ' "\\' if not inside else character not in '"\\'):
            word += character
            started, escaped = True, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            started, inside = True, not inside
        elif started:
            words.append(word)
            word, started = "", False
    return [*words, word] if started else words


def _run(host: Namespace, family: int, action: str, arguments: tuple[str, ...], stdin: bytes, attempt: str) -> Outcome:
    name = f"{_PREFIXES[family]}tables-{action}"
    path = find_program(name)
    if not path:
        raise NetlinkFailure(f"{attempt}: there is no {name} on this node")
    environment = {"PATH": ":".join(DIRECTORIES), "LC_ALL": "C"}
    with host.inside():
        outcome = run(path, environment, stdin, _TIMEOUT, arguments)
    if outcome.status != 0:
        said = outcome.stderr.decode(errors="replace").strip().partition("\n")[0]
        kind = TryAgainLater if outcome.status == _LOCKED else NetlinkFailure
        raise kind(f"{attempt}: {name} ended with {outcome.status}: {said}")
    return outcome
