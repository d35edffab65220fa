"""Kubeconfig files, JSON or YAML, as kubectl writes them and installers do.

Others rewrite such a file in place: one that is empty, cut off or changing is read again for a moment before the error
says so. What cannot be honoured is refused: acting with other rights, or by another way, than the file says is worse.
"""

from __future__ import annotations

import os
import time
from binascii import a2b_base64

from cni_multus.cni.document import parse
from cni_multus.cni.errors import CniError, DecodingFailure, InvalidNetworkConfig, TryAgainLater, UnsupportedField
from cni_multus.kube.credentials import Access, clean_token, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Execute = Callable[[Access, "Part"], None]

LOOKS = 4
"""How often a file that cannot be used is looked at before that is an error."""
PAUSE = 0.12
"""Seconds between two looks."""

_REFUSED_USER = {
    "exec": "programs that fetch credentials are not run for a pod's request; give it a token, a tokenFile or a client "
    "certificate",
    "auth-provider": "such plugins are gone from Kubernetes; give it a token, a tokenFile or a client certificate",
    "username": "API servers know no passwords since Kubernetes 1.19; give it a token, a tokenFile or a certificate",
    "password": "API servers know no passwords since Kubernetes 1.19; give it a token, a tokenFile or a certificate",
    "as": "acting as somebody else is not supported; give it the account's own credentials",
    "as-uid": "acting as somebody else is not supported; give it the account's own credentials",
    "as-groups": "acting as somebody else is not supported; give it the account's own credentials",
    "as-user-extra": "acting as somebody else is not supported; give it the account's own credentials",
}
_YES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def load_kubeconfig(path: str, pause: float = PAUSE, execute: Execute | None = None) -> Access:
    """The server, and the credentials for it, of the file's current context.

    `execute` is for a user's `exec`: it sets what the program gives. No request has it, and such a user is refused.
    """
    if not path.startswith("/"):
        raise InvalidNetworkConfig(f"the kubeconfig {path[:200]!r} is not named by an absolute path")
    before: bytes | None = None
    failure: CniError = TryAgainLater(f"the kubeconfig {path} changes all the time")
    for _ in range(LOOKS):
        data = read(path)
        if data != before:
            try:
                return _access(path, _document(path, data), execute)
            except (DecodingFailure, TryAgainLater) as error:
                failure = TryAgainLater(f"{error.message}; it may be about to be written")
            except CniError as error:
                failure = error
        elif not isinstance(failure, TryAgainLater):
            break
        before = data
        time.sleep(pause)
    raise failure


def _document(path: str, data: bytes) -> object:
    what = f"the kubeconfig {path}"
    if not data.strip():
        raise DecodingFailure(f"{what} is empty")
    if data.lstrip().startswith(b"{"):
        return parse(data, what)
    from yaml import BaseLoader, YAMLError, load

    try:
        # Everything is text to this loader: no tag makes anything, no token becomes a number.
        return load(data, BaseLoader)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DecodingFailure(f"{what} is not YAML: {place}{getattr(error, 'problem', None) or 'it'}") from None
    except RecursionError:
        raise DecodingFailure(f"{what} is nested too deep") from None
    except ValueError:
        raise DecodingFailure(f"{what} is neither JSON nor YAML") from None


def _access(path: str, document: object, execute: Execute | None) -> Access:
    whole = Part(path, "", document)
    context = whole.entry("contexts", "context", whole.text("current-context", needed=True))
    cluster = whole.entry("clusters", "cluster", context.text("cluster", needed=True))
    user = whole.entry("users", "user", context.text("user")) if context.text("user") else Part(path, "users", {})
    try:
        access = Access(path, cluster.text("server", needed=True), lambda: load_kubeconfig(path, execute=execute))
    except ValueError as error:
        raise cluster.wrong("server", str(error)) from None
    access.namespace = context.text("namespace")
    _set_cluster(access, cluster)
    _set_user(access, user, runs=execute is not None)
    # What stands in the file counts, as with kubectl.
    if execute and user.has("exec") and not (access.token or access.token_file or access.certificate):
        execute(access, user.part("exec"))
    return access


def _set_cluster(access: Access, cluster: Part) -> None:
    if cluster.text("proxy-url"):
        why = "proxies are not supported; the API server must be reachable directly"
        raise UnsupportedField(f"{cluster.place('proxy-url')}: {why}")
    access.insecure = cluster.flag("insecure-skip-tls-verify")
    access.authority = cluster.content("certificate-authority")
    access.server_name = cluster.text("tls-server-name")
    if access.insecure and access.authority:
        raise cluster.wrong("insecure-skip-tls-verify", "a certificate authority together with it contradicts it")
    name = access.server_name
    if name and not (name.isascii() and name.isprintable() and " " not in name and not name.startswith(".")):
        raise cluster.wrong("tls-server-name", "not a host's name")


def _set_user(access: Access, user: Part, *, runs: bool) -> None:
    for key, hint in _REFUSED_USER.items():
        if user.has(key) and not (runs and key == "exec"):
            raise UnsupportedField(f"{user.place(key)}: {hint}")
    access.certificate = user.content("client-certificate")
    access.key = user.content("client-key")
    if access.certificate and not access.key:
        raise user.wrong("client-key", "missing, while there is a client-certificate")
    if access.key and not access.certificate:
        raise user.wrong("client-certificate", "missing, while there is a client-key")
    if user.text("token"):
        access.token = clean_token(user.text("token").encode("utf-8", "surrogatepass"), user.place("token"))
    if user.text("tokenFile"):
        access.token_file = user.file("tokenFile")


class Part:
    """An object of the file and its place, which errors name."""

    __slots__ = ("_members", "_path", "_where")

    def __init__(self, path: str, where: str, value: object) -> None:
        self._path = path
        self._where = where
        if not isinstance(value, dict):
            raise InvalidNetworkConfig(f"the kubeconfig {path}{': ' + where if where else ''}: not an object")
        self._members: Mapping[object, object] = value

    def place(self, key: str) -> str:
        return f"the kubeconfig {self._path}: {self._where}{'.' if self._where else ''}{key}"

    def wrong(self, key: str, why: str) -> InvalidNetworkConfig:
        return InvalidNetworkConfig(f"{self.place(key)}: {why}")

    def has(self, key: str) -> bool:
        return self._members.get(key) not in (None, "", [], {}, "null", "~")

    def text(self, key: str, *, needed: bool = False) -> str:
        value = self._members.get(key) if self.has(key) else ""
        if not isinstance(value, str):
            raise self.wrong(key, "not a string")
        if needed and not value:
            raise self.wrong(key, "missing")
        if "\0" in value:
            raise self.wrong(key, "it has a NUL character")
        return value

    def flag(self, key: str) -> bool:
        value = self._members.get(key, False) if self.has(key) else False
        meant = _YES.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(meant, bool):
            raise self.wrong(key, "neither true nor false")
        return meant

    def part(self, key: str) -> Part:
        """An object inside."""
        return Part(self._path, f"{self._where}.{key}", self._members.get(key))

    def parts(self, key: str) -> list[Part]:
        """A list of objects."""
        return [Part(self._path, f"{self._where}.{key}[{at}]", member) for at, member in enumerate(self._list(key))]

    def texts(self, key: str) -> list[str]:
        """A list of strings."""
        found = self._list(key)
        if not all(isinstance(each, str) for each in found):
            raise self.wrong(key, "not a list of strings")
        return [str(each) for each in found]

    def entry(self, key: str, inner: str, name: str) -> Part:
        """What is called `name` in a list of {"name": ..., inner: {...}}; the first counts, as with kubectl."""
        entries = self._members.get(key)
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and entry.get("name") == name:
                return Part(self._path, f"{key}[{at}].{inner}", entry.get(inner) or {})
        raise self.wrong(key, f"there is none called {name[:200]!r}")

    def _list(self, key: str) -> list[object]:
        found = self._members.get(key) if self.has(key) else []
        if not isinstance(found, list):
            raise self.wrong(key, "not a list")
        return found

    def file(self, key: str) -> str:
        """A path, relative to the kubeconfig's directory as kubectl has it."""
        return os.path.join(os.path.dirname(self._path), self.text(key))

    def content(self, key: str) -> bytes:
        """What `<key>-data` has in base64, or else the file that `key` names."""
        data = self.text(f"{key}-data")
        if data:
            try:
                return a2b_base64(data, strict_mode=False)
            except ValueError:
                raise self.wrong(f"{key}-data", "not base64") from None
        return read(self.file(key)) if self.text(key) else b""
