"""The API server that a command asks: the one that is named, else that of Whereabouts' flat file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cni_multus.cli.execcredential import load_access
from cni_multus.cni.config import Section

if TYPE_CHECKING:
    import argparse

    from cni_multus.kube.client import Client

DEFAULT_NAMESPACE = "kube-system"
"""Where Whereabouts looks for its pools unless the kubeconfig's context says otherwise."""

PATIENCE = 60.0
"""Seconds for everything that one command asks."""


@dataclass(frozen=True)
class Api:
    """A client, and the namespace where the pools are."""

    client: Client
    namespace: str
    kubeconfig: str


def connect(arguments: argparse.Namespace) -> Api | None:
    """The API server that the command line means, None where it means none; nothing is asked yet.

    `arguments.closing`, an ExitStack, ends the connection.
    """
    path = kubeconfig_of(arguments)
    if not path:
        return None
    from cni_multus.kube.client import Client
    from cni_multus.kube.deadline import Deadline

    access = load_access(path)
    namespace = arguments.namespace or access.namespace or DEFAULT_NAMESPACE
    client = Client(access, Deadline(PATIENCE))
    arguments.closing.callback(client.close)
    return Api(client, namespace, path)


def kubeconfig_of(arguments: argparse.Namespace) -> str:
    """The path of the kubeconfig, "" where there is none to be used."""
    if arguments.no_api:
        return ""
    if arguments.kubeconfig:
        return os.path.abspath(str(arguments.kubeconfig))
    from ipam.whereabouts.flatfile import CANDIDATES, FILE, FlatFile

    own = f"{arguments.conf_dir}/whereabouts.d/{FILE}"
    candidates = CANDIDATES if own in CANDIDATES else (own,)
    kubernetes = FlatFile.read(Section({}, "ipam"), candidates).ipam.section("kubernetes")
    return kubernetes.text("kubeconfig")
