"""How much a definition may ask for: a node spends a pod's start on it, and its owner pays for none of that."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section

MOST_MEMBERS = 5000
"""Keys and values of lists, in all: each may be a range to compare, a route or a rule. Real ones have a hundred."""
MOST_PLUGINS = 64
"""Of one network, each called for every verb."""


def refuse_excess(config: Section) -> None:
    """Raise InvalidNetworkConfig, which names the limit, for a configuration that no network needs."""
    if (count := len(config.items("plugins"))) > MOST_PLUGINS:
        raise config.wrong("plugins", f"there are {count} plugins, more than {MOST_PLUGINS}")
    members = 0
    left: list[tuple[str, object]] = [(key, value) for key, value in config.raw.items()]
    while left:
        key, value = left.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        members += 1 + len(inner)
        if members > MOST_MEMBERS:
            raise config.wrong(key, f"with it there are more than {MOST_MEMBERS} keys and values")
        left += [(key, each) for each in inner if isinstance(each, (dict, list))]
