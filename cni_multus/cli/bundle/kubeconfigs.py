"""A kubeconfig without credentials: what is known to be harmless is kept, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cni_multus.cli.bundle.words import GONE

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLUSTER = ("server", "certificate-authority", "insecure-skip-tls-verify", "tls-server-name", "proxy-url")
_USER = ("tokenFile", "client-certificate", "client-key", "as")
_EXEC = ("apiVersion", "command", "interactiveMode", "provideClusterInfo")
_MARK = re.compile(r"^[\"']?(?:clusters|users)[\"']?\s*:|[{,]\s*[\"'](?:clusters|users)[\"']\s*:", re.MULTILINE)


def is_kubeconfig(text: str) -> bool:
    """Whether it may be one, even a broken one."""
    return bool(_MARK.search(text)) and ("contexts" in text or "user" in text)


def outline(text: str) -> str | None:
    """What may be seen of it, as YAML; None where it cannot be parsed."""
    found = _load(text)
    if not isinstance(found, dict):
        return None
    from cni_multus.cli.output import to_yaml

    kept: dict[str, object] = {key: found[key] for key in ("apiVersion", "kind", "current-context") if key in found}
    kept["clusters"] = [_named(each, "cluster", _CLUSTER) for each in _list(found, "clusters")]
    kept["contexts"] = [_named(each, "context", ("cluster", "user", "namespace")) for each in _list(found, "contexts")]
    kept["users"] = [_user(each) for each in _list(found, "users")]
    return to_yaml(kept)


def credentials(text: str) -> Iterator[str]:
    """The secrets in it: everything of a user that may not be seen."""
    found = _load(text)
    for each in _list(found, "users") if isinstance(found, dict) else []:
        user = each.get("user")
        if isinstance(user, dict):
            yield from _scalars({key: value for key, value in user.items() if key not in _USER and key != "exec"})
            run = user.get("exec")
            if isinstance(run, dict):
                yield from (str(one.get("value", "")) for one in _list(run, "env"))


def token_files(text: str) -> Iterator[str]:
    """The paths of tokens and keys that it names."""
    found = _load(text)
    for each in _list(found, "users") if isinstance(found, dict) else []:
        user = each.get("user")
        if isinstance(user, dict):
            yield from (str(user[key]) for key in ("tokenFile", "client-key") if user.get(key))


def _load(text: str) -> object:
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _list(document: dict[str, object], key: str) -> list[dict[str, object]]:
    value = document.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _named(each: dict[str, object], key: str, keep: tuple[str, ...]) -> dict[str, object]:
    inner = each.get(key)
    members = inner.items() if isinstance(inner, dict) else ()
    return {"name": each.get("name"), key: {name: value if name in keep else GONE for name, value in members}}


def _user(each: dict[str, object]) -> dict[str, object]:
    shown = _named(each, "user", (*_USER, "exec"))
    user = shown["user"]
    run = user.get("exec") if isinstance(user, dict) else None
    if isinstance(user, dict) and "exec" in user:
        members = run.items() if isinstance(run, dict) else ()
        user["exec"] = {name: value if name in _EXEC else GONE for name, value in members}
    return shown


def _scalars(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _scalars(member)
    elif isinstance(value, list):
        for member in value:
            yield from _scalars(member)
    elif isinstance(value, str):
        yield value
