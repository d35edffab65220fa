"""Kernel settings as operators write them: their keys, their values, and what the kernel shows of them."""

from __future__ import annotations

from cni_multus.cni.document import Repeating
from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.linux.sysctl import is_of_a_namespace, read_many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.linux.netns import Namespace

_DOTS_AND_SLASHES = str.maketrans("./", "/.")


class Setting:
    """A kernel setting: the key as it is written, its name below /proc/sys, and the value it shall have."""

    __slots__ = ("key", "name", "value")

    def __init__(self, key: str, name: str, value: str) -> None:
        self.key = key
        self.name = name
        self.value = value


def parse_settings(configured: Section, asked: Section, ifname: str) -> list[Setting]:
    """In the order in which they are written; what is `asked` for replaces a value in its place."""
    found: dict[str, Setting] = {}
    for section in (configured, asked):
        if isinstance(section.raw, Repeating):
            raise section.wrong(section.raw.repeated[0], "duplicated sysctl keys are not allowed")
        here: dict[str, Setting] = {}
        for key, value in section.raw.items():
            if value is None:
                continue
            setting = _parse(section, key, ifname)
            other = here.setdefault(setting.name, setting)
            if other.value != setting.value:
                raise section.wrong(key, f"duplicated: {other.key} is the same setting, with another value")
        found.update(here)
    return list(found.values())


def kernel_name(key: str, ifname: str) -> str:
    """The "net/…" that an operator means; IFNAME stands for `ifname`; ValueError where it is not below net/.

    Names are separated by dots, or by slashes; after a first dot a slash is a dot of a link's name, as in sysctl(8).
    """
    dot, slash = key.find("."), key.find("/")
    if dot >= 0 and (slash < 0 or dot < slash):
        key = key.translate(_DOTS_AND_SLASHES)
    name = key.replace("IFNAME", ifname, 1)
    if not is_of_a_namespace(name):
        raise ValueError("it does not name a kernel setting of a network namespace (net.…)")
    return name


def found_values(ns: Namespace, settings: list[Setting]) -> dict[str, str]:
    """What the kernel has now, by name, of those that it shows; InvalidNetworkConfig where there is no such setting."""
    found = read_many(ns, [setting.name for setting in settings])
    for setting in settings:
        if setting.name not in found:
            raise InvalidNetworkConfig(f"sysctl.{setting.key}: there is no /proc/sys/{setting.name} in {ns}")
    return {name: value for name, value in found.items() if value is not None}


def setting_differences(ns: Namespace, settings: list[Setting]) -> list[str]:
    """What the kernel has otherwise; one that it does not show may be anything."""
    found = read_many(ns, [setting.name for setting in settings])
    wrong = []
    for setting in settings:
        if setting.name not in found:
            wrong.append(f"{setting.key} is gone")
            continue
        value = found[setting.name]
        if value is not None and not same_value(value, setting.value):
            wrong.append(f"{setting.key} is {value!r}, not {setting.value!r}")
    return wrong


def same_value(one: str, other: str) -> bool:
    """Whether two spellings are of one value: the kernel separates with tabs, and prints numbers in base 10."""
    return [_number(word) for word in one.split()] == [_number(word) for word in other.split()]


def _parse(section: Section, key: str, ifname: str) -> Setting:
    value = section.text(key)
    if not value.isprintable():
        raise section.wrong(key, f"{value!r} has characters that no kernel setting has")
    try:
        return Setting(key, kernel_name(key, ifname), value)
    except ValueError as error:
        raise section.wrong(key, str(error)) from None


def _number(word: str) -> str | int:
    try:
        return int(word, 0)
    except ValueError:
        return word
