"""A JSON object of a configuration, read key by key: types checked, keys matched as operators write them.

The reference reads keys in any case (`RuntimeConfig`, `IPAM`), takes `null` for absent and ignores keys it does not
know; so does this. Whatever is wrong is told with its JSON path.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip, parse_mac
from cni_multus.cni.document import name_of_type
from cni_multus.cni.errors import DecodingFailure, InvalidNetworkConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


class Section:
    """One object of the document; `path` is where it stands (`ipam.ranges[0]`), `raw` what it holds."""

    __slots__ = ("_folded", "path", "raw")

    def __init__(self, raw: dict[str, object], path: str = "") -> None:
        self.raw = raw
        self.path = path
        self._folded: dict[str, object] | None = None

    def where(self, key: str) -> str:
        """The JSON path of `key`."""
        return f"{self.path}.{key}" if self.path else key

    def value(self, key: str) -> object:
        """What stands at `key`, None where nothing does; an exact match wins, then the last in another case."""
        if key in self.raw:
            return self.raw[key]
        if self._folded is None:
            self._folded = {name.lower(): value for name, value in self.raw.items()}
        return self._folded.get(key.lower())

    def has(self, key: str) -> bool:
        """Whether `key` is there and not null."""
        return self.value(key) is not None

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        value = self.value(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._mistyped(key, value, "a string")
        if why := _unsound(value):
            raise InvalidNetworkConfig(f"{self.where(key)}: {why} in {value!r}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean."""
        value = self.value(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._mistyped(key, value, "a boolean")
        return value

    def lenient_flag(self, key: str) -> bool:
        """A boolean, or the words "true" and "false" in any case, as libcni reads those of a network list."""
        value = self.value(key)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        return self.flag(key)

    def number(self, key: str, default: int = 0, *, low: int = 0, high: int = 0xFFFFFFFF) -> int:
        """A whole number from `low` to `high`."""
        value = self.value(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._mistyped(key, value, "a whole number")
        if not low <= value <= high:
            raise InvalidNetworkConfig(f"{self.where(key)}: {value} is not between {low} and {high}")
        return value

    def real(self, key: str) -> float:
        """A number, 0.0 where the key is absent."""
        value = self.value(key)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._mistyped(key, value, "a number")
        try:
            return float(value)
        except OverflowError:
            raise InvalidNetworkConfig(f"{self.where(key)}: the number is too large") from None

    def items(self, key: str) -> list[object]:
        """A list of anything; empty where the key is absent."""
        value = self.value(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._mistyped(key, value, "a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(_string(self.where(key), at, value) for at, value in enumerate(self.items(key)))

    def section(self, key: str) -> Section:
        """An object; an empty one where the key is absent."""
        value = self.value(key)
        if value is None:
            return Section({}, self.where(key))
        if not isinstance(value, dict):
            raise self._mistyped(key, value, "an object")
        return Section(value, self.where(key))

    def sections(self, key: str) -> tuple[Section, ...]:
        """A list of objects."""
        return objects(self.items(key), self.where(key))

    def ip(self, key: str) -> Ip | None:
        """An address, None where the key is absent or empty."""
        text = self.text(key)
        return self._parsed(key, Ip.parse, text) if text else None

    def cidr(self, key: str) -> Cidr:
        """An address with its prefix length; the key must be there."""
        return self._parsed(key, Cidr.parse, self.text(key))

    def mac(self, key: str) -> str:
        """A MAC address in lower-case colon form, "" where the key is absent or empty."""
        text = self.text(key)
        return self._parsed(key, parse_mac, text) if text else ""

    def wrong(self, key: str, why: str) -> InvalidNetworkConfig:
        """The error that says `why` the value of `key` cannot be."""
        return InvalidNetworkConfig(f"{self.where(key)}: {why}")

    def _parsed(self, key: str, parse: Callable[[str], T], text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise InvalidNetworkConfig(f"{self.where(key)}: {error}") from None

    def _mistyped(self, key: str, value: object, wanted: str) -> DecodingFailure:
        return DecodingFailure(f"{self.where(key)} must be {wanted}, and is {name_of_type(value)}")


def objects(values: list[object], path: str) -> tuple[Section, ...]:
    """The members of a list that must all be objects."""
    sections = []
    for at, value in enumerate(values):
        if not isinstance(value, dict):
            raise DecodingFailure(f"{path}[{at}] must be an object, and is {name_of_type(value)}")
        sections.append(Section(value, f"{path}[{at}]"))
    return tuple(sections)


def _string(path: str, at: int, value: object) -> str:
    if not isinstance(value, str):
        raise DecodingFailure(f"{path}[{at}] must be a string, and is {name_of_type(value)}")
    if why := _unsound(value):
        raise InvalidNetworkConfig(f"{path}[{at}]: {why} in {value!r}")
    return value


def _unsound(text: str) -> str:
    """Why a text has no form in bytes, "" where it has: the kernel, files and programs know no other."""
    if "\0" in text:
        return "a NUL character"
    if not text.isascii():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return "half of a surrogate pair"
    return ""
