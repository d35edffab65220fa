"""Two nested values side by side: where they differ, once names and MACs that are random have been made equal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.differential.side import Side

RANDOM_NAME = re.compile(r"\b(veth|bwp)(?:[0-9a-f]{8}|[0-9a-f]{12})\b")
MAC = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")
CHOSEN = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same; `where` is its path ("ADD > ips > #0 > gateway"), ABSENT: it is not there."""

    where: str
    ours: object
    theirs: object

    def __str__(self) -> str:
        return f"{self.where}: ours {self.ours!r}, reference {self.theirs!r}"


def differences(ours: Any, theirs: Any) -> list[Difference]:
    """Every leaf that is not equal."""
    one, other = dict(_leaves(ours, "")), dict(_leaves(theirs, ""))
    return [
        Difference(where, one.get(where, ABSENT), other.get(where, ABSENT))
        for where in sorted({*one, *other})
        if one.get(where, ABSENT) != other.get(where, ABSENT)
    ]


def normalised(value: Any, side: Side, macs: dict[str, str]) -> Any:
    """The same value without what is random: names of links, MACs (as the link that has them), this side's paths."""
    if isinstance(value, dict):
        return {normalised(key, side, macs): normalised(item, side, macs) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalised(item, side, macs) for item in value]
    if not isinstance(value, str):
        return value
    text = nameless(value).replace(side.pod, "POD").replace(str(side.data), "DATA")
    return MAC.sub(lambda found: macs.get(found[0], found[0]), text)


def nameless(text: str) -> str:
    """The same with names that are random, or made of a hash, as `veth*` and `bwp*`."""
    return RANDOM_NAME.sub(r"\1*", text)


def random_macs(shown: dict[str, Any], asked: str) -> dict[str, str]:
    """What to call the MACs that nobody `asked` for: after the links that have them."""
    return {
        link["mac"]: f"(MAC of {nameless(name)} in the {where})"
        for where in ("node", "pod")
        for name, link in shown[where]["links"].items()
        if link["mac"] not in CHOSEN and link["mac"] not in asked.lower()
    }


def _leaves(value: Any, where: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        if not value:
            yield where, {}
        for key, item in value.items():
            yield from _leaves(item, f"{where} > {key}" if where else str(key))
    elif isinstance(value, list):
        if not value:
            yield where, []
        for at, item in enumerate(value):
            yield from _leaves(item, f"{where} > #{at}")
    else:
        yield where, value
