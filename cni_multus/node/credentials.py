"""The API server for the plugin: a kubeconfig that names a token file, which is refreshed without rewriting it.

    <confDir>/multus.d/multus.kubeconfig    written once, 0600; the two others by their names beside it
    <confDir>/multus.d/token, ca.crt        as the service account of our pod has them, replaced by renames

The names are relative, which kubeconfigs resolve from where they are: so it is right on the node and in a container.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_indented
from cni_multus.cni.errors import CniError, IoFailure
from cni_multus.kube.credentials import SERVICE_ACCOUNT, clean_token, in_cluster, read
from cni_multus.node import links
from cni_multus.node.changes import CHANGE, MAKE
from cni_multus.node.receipt import DIRECTORY as FOLDER
from cni_multus.node.receipt import FILE, Entry, content_of
from cni_multus.node.root import resolved, under
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cni_multus.node.changes import Changes
    from cni_multus.node.receipt import Receipt

DIRECTORY = "multus.d"
KUBECONFIG, TOKEN, AUTHORITY = "multus.kubeconfig", "token", "ca.crt"


def refresh(root: str, conf_dir: str, service_account: str = SERVICE_ACCOUNT) -> bool:
    """Write token and CA if they are not what the service account has; True where one was written."""
    written = [_write(root, conf_dir, name, data) for name, data in _current(service_account).items()]
    return any(written)


def stale(root: str, conf_dir: str, service_account: str = SERVICE_ACCOUNT) -> list[str]:
    """The names that `refresh` would write."""
    place = _place(root, conf_dir)
    return [name for name, data in _current(service_account).items() if _find(os.path.join(place, name)) != data]


def is_there(service_account: str = SERVICE_ACCOUNT) -> bool:
    """Whether this process has the files of an account."""
    return os.path.exists(os.path.join(service_account, TOKEN))


def kubeconfig(
    environment: Mapping[str, str], service_account: str = SERVICE_ACCOUNT, server: str = "", *, insecure: bool = False
) -> bytes:
    """The file's content; raises InvalidEnvironment where no API server is known."""
    server = server or in_cluster(environment, service_account).server
    trust: dict[str, object] = {"insecure-skip-tls-verify": True} if insecure else {"certificate-authority": AUTHORITY}
    document: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, **trust}}],
        "users": [{"name": "multus", "user": {"tokenFile": TOKEN}}],
        "contexts": [{"name": "multus-context", "context": {"cluster": "local", "user": "multus"}}],
        "current-context": "multus-context",
    }
    return print_indented(document)


def expect(receipt: Receipt, changes: Changes) -> None:
    """Let the receipt have what is not there yet: the watch may make it."""
    directory = f"{receipt.conf_dir}/{DIRECTORY}"
    expected = [
        Entry(directory, FOLDER),
        *(Entry(f"{directory}/{name}", FILE) for name in (KUBECONFIG, TOKEN, AUTHORITY)),
    ]
    new = [entry for entry in expected if not os.path.lexists(under(receipt.root, entry.path))]
    changes.note(receipt, *(entry for entry in new if not receipt.has(entry.path)))


def place(receipt: Receipt, changes: Changes, service_account: str, content: bytes) -> None:
    """Have the files of an account, and the kubeconfig with this content, on the node."""
    root, conf_dir = receipt.root, receipt.conf_dir
    directory = f"{conf_dir}/{DIRECTORY}"
    changes.directory(receipt, directory)
    if names := stale(root, conf_dir, service_account):
        paths = [f"{directory}/{name}" for name in names]
        is_new = not any(os.path.lexists(under(root, path)) for path in paths)
        changes.note(receipt, *(Entry(path, FILE) for path in paths))
        work = partial(refresh, root, conf_dir, service_account)
        shown = f"{directory}/{' '.join(names)}"
        changes.do(MAKE if is_new else CHANGE, shown, work, "from the service account")
    path = f"{directory}/{KUBECONFIG}"
    there = under(root, path)
    if (found := files.read(there)) != content:
        before = "" if found is None or receipt.has(path) else f"{directory}/before/{KUBECONFIG}"
        if before:
            changes.directory(receipt, os.path.dirname(before))
        changes.note(receipt, Entry(path, FILE, content_of(content), before))
        if before:
            links.keep(receipt, changes, path, before)
        write = partial(files.write_atomically, there, content, temporary=f"{there}.coming")
        changes.do(MAKE if found is None else CHANGE, path, write, "names the token's file")


def is_anothers(path: str, place: str) -> bool:
    """Whether a kubeconfig is at `place`, the node's `path`, that we did not write: the Go Multus has the name, too."""
    if not path.endswith(f"/{DIRECTORY}/{KUBECONFIG}"):
        return False
    try:
        data = files.read(place)
        users = Section(parse_object(data, path)).sections("users") if data is not None else None
    except CniError:
        return True
    return users is not None and not any(user.section("user").text("tokenFile") == TOKEN for user in users)


def _current(service_account: str) -> dict[str, bytes]:
    token = read(os.path.join(service_account, TOKEN))
    clean_token(token, os.path.join(service_account, TOKEN))
    authority = read(os.path.join(service_account, AUTHORITY))
    if b"-----BEGIN CERTIFICATE-----" not in authority:
        raise IoFailure(f"{service_account}/{AUTHORITY} holds no certificate (PEM)")
    return {TOKEN: token, AUTHORITY: authority}


def _write(root: str, conf_dir: str, name: str, data: bytes) -> bool:
    path = os.path.join(_place(root, conf_dir), name)
    if _find(path) == data:
        return False
    # One writer at a time holds the receipt's lock or watches; a name of its own would pile up where that is killed.
    files.write_atomically(path, data, temporary=f"{path}.coming")
    return True


def _find(path: str) -> bytes | None:
    try:
        return files.read(path)
    except IoFailure:
        return None


def _place(root: str, conf_dir: str) -> str:
    return os.path.join(resolved(root, conf_dir), DIRECTORY)
