"""conditionsV4 and conditionsV6: what operators write as arguments of iptables or as words of nft, as expressions.

Only what tells packets apart by addresses, links, marks and source ports is known; anything else is refused by name,
since a condition that is passed over would open a port to whom it was meant to be closed.
"""

from __future__ import annotations

from cni_multus.linux.expressions import (
    META_IIFNAME,
    META_L4PROTO,
    META_MARK,
    META_OIFNAME,
    NOT_EQUAL,
    compare,
    compare_range,
    load_daddr,
    load_meta,
    load_saddr,
    load_sport,
    mask,
)
from cni_multus.portmaps.hostport import PROTOCOLS
from cni_multus.portmaps.words import Value, Words, address, link_name, mark, port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.config import Section

_LOADS = {
    "iifname": load_meta(META_IIFNAME),
    "oifname": load_meta(META_OIFNAME),
    "mark": load_meta(META_MARK),
    "sport": load_sport(),
    "l4proto": load_meta(META_L4PROTO),
}
_MODULES = ("mark", "multiport", "iprange", "comment", *PROTOCOLS)
"""What -m may name: what it stands for is said by the options that follow."""

_MOST = 64
"""Expressions that test the values of a condition: the kernel takes 128, or 4 KiB of them, in a rule."""

_OPTIONS = {
    "-s": "saddr",
    "--source": "saddr",
    "--src": "saddr",
    "--src-range": "saddr",
    "-d": "daddr",
    "--destination": "daddr",
    "--dst": "daddr",
    "--dst-range": "daddr",
    "-i": "iifname",
    "--in-interface": "iifname",
    "-o": "oifname",
    "--out-interface": "oifname",
    "--mark": "mark",
    "--sport": "sport",
    "--source-port": "sport",
    "--sports": "sport",
    "--source-ports": "sport",
}


class Condition:
    """One field of a packet that must be (or, `negated`, must not be) one of `values`."""

    __slots__ = ("_family", "_field", "_negated", "_values")

    def __init__(self, family: int, field: str, values: list[Value], negated: bool) -> None:
        self._family = family
        self._field = field
        self._values = values
        self._negated = negated

    def failures(self) -> list[bytes]:
        """Expressions of the rules, each of which finds packets that the condition does not hold for."""
        load = self._load()
        if self._negated:
            return [load + _test(value, outside=False) for value in self._values]
        if len(self._values) == 1:
            return [load + _test(self._values[0], outside=True)]
        # Loaded once, as long as nothing is masked: a rule has not room for many expressions.
        tests = [b"" if value.mask and not value.last else _test_whole(value) for value in self._values]
        masked = [load + _test(value, outside=True) for value in self._values if value.mask and not value.last]
        return [(load if any(tests) else b"") + b"".join(tests + masked)]

    def _load(self) -> bytes:
        if self._field in ("saddr", "daddr"):
            return (load_saddr if self._field == "saddr" else load_daddr)(self._family)
        return _LOADS[self._field]

    def __str__(self) -> str:
        values = ", ".join([value.text for value in self._values])
        return f"{self._field} {'!= ' if self._negated else ''}{values}"


def is_of_iptables(words: tuple[str, ...]) -> bool:
    """Whether conditions are arguments of iptables: it goes by the first character, as with the Go plugin."""
    return words[0][:1] in ("-", "!")


def parse(config: Section, key: str, family: int) -> list[Condition]:
    """All of which must hold; InvalidNetworkConfig, naming the word that is not known."""
    given = config.texts(key)
    if not given:
        return []

    def wrong(why: str) -> Exception:
        return config.wrong(key, why)

    if is_of_iptables(given):
        return _of_iptables(Words(list(given), family, wrong))
    text = " ".join(given)
    for sign in "{},":
        text = text.replace(sign, f" {sign} ")
    words = text.split()
    if not words:
        raise wrong("it says nothing")
    return _of_nft(Words(words, family, wrong))


def _of_iptables(words: Words) -> list[Condition]:
    found = []
    while words.left:
        negated = words.take_if("!")
        option = words.take()
        if option in ("-m", "--match") and not negated:
            if (module := words.take()) not in _MODULES:
                raise words.wrong(f"-m {module} is not one of {', '.join(_MODULES)}")
        elif option == "--comment" and not negated:
            words.take()
        elif option in _OPTIONS:
            field = _OPTIONS[option]
            values = [_READERS[field](words, each) for each in words.take().split(",")]
            found.append(Condition(words.family, field, _few(words, values), negated))
        else:
            raise words.unknown(option, _OPTIONS)
    return found


def _of_nft(words: Words) -> list[Condition]:
    found = []
    while words.left:
        word = words.take()
        if word in ("ip", "ip6"):
            if word != ("ip" if words.family == 4 else "ip6"):
                raise words.wrong(f"{word} is not IPv{words.family}")
            field = words.take_one_of(("saddr", "daddr"))
        elif word in PROTOCOLS or word == "th":
            field = words.take_one_of(("sport",))
            if word != "th":
                found.append(Condition(words.family, "l4proto", [Value(word, bytes((PROTOCOLS[word],)))], False))
        elif word == "meta":
            field = words.take_one_of(("mark", "iifname", "oifname"))
        elif word in ("mark", "iifname", "oifname"):
            field = word
        else:
            raise words.unknown(word, ("ip saddr", "ip daddr", "iifname", "oifname", "meta mark", "tcp sport"))
        found.append(_comparison(words, field))
    return found


def _comparison(words: Words, field: str) -> Condition:
    masked = ""
    if field == "mark" and (words.take_if("&") or words.take_if("and")):
        masked = f"/{words.take()}"
    negated = words.take_if("!=")
    if not negated:
        words.take_if("==")
    listed = [words.take()] if not words.take_if("{") else words.take_until("}")
    values = [_READERS[field](words, each + masked) for each in listed]
    return Condition(words.family, field, _few(words, values), negated)


def _few(words: Words, values: list[Value]) -> list[Value]:
    expressions = sum([3 if value.mask and not value.last else 1 for value in values])
    if expressions > _MOST:
        raise words.wrong(f"{len(values)} values are more than a rule has room for")
    return values


def _test(value: Value, *, outside: bool) -> bytes:
    operation = (NOT_EQUAL,) if outside else ()
    if value.last and not value.mask:
        return compare_range(value.first, value.last, *operation)
    return (mask(value.mask) if value.mask else b"") + compare(value.first, *operation)


def _test_whole(value: Value) -> bytes:
    """That the register holds another value, which it keeps."""
    if value.last:
        return compare_range(value.first, value.last, NOT_EQUAL)
    return compare(value.first, NOT_EQUAL)


_READERS: dict[str, Callable[[Words, str], Value]] = {
    "saddr": address,
    "daddr": address,
    "iifname": link_name,
    "oifname": link_name,
    "mark": mark,
    "sport": port,
}
