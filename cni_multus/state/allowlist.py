"""A file of what an operator allows: on each line a regular expression, which matches anywhere in a name.

The form is that of the Go tuning plugin's /etc/cni/tuning/allowlist.conf, expressions included, as far as Python has
them too.
"""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.state import files


def first_not_allowed(path: str, names: list[str]) -> str | None:
    """The first of `names` that no line matches; None where there is none, or no file: then everything is allowed."""
    data = files.read(path, follow=True)
    if data is None:
        return None
    import re  # costs 10 ms, of which only nodes with such a file know

    lines = [line.strip() for line in data.decode(errors="replace").splitlines()]
    try:
        expressions = [re.compile(line) for line in lines if line]
    except re.error as error:
        raise InvalidNetworkConfig(f"{path}: {error.pattern!r} is not a regular expression: {error}") from error
    return next((name for name in names if not any(each.search(name) for each in expressions)), None)
