"""What the bundled plugins' own CHECK says of an attachment: they know of more than links, addresses and routes.

Programs of others are not run, and no IPAM is asked here. All of them together have a limited time.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cni_multus.cli.inspect.attachment import plugins_of
from cni_multus.cli.inspect.notes import is_forbidden
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CheckFailed, CniError
from cni_multus.cni.request import Request
from cni_multus.cni.versions import NEWEST
from cni_multus.registry import PLUGINS, load

if TYPE_CHECKING:
    from cni_multus.cli.inspect.attachment import Observed
    from cni_multus.cli.site import Site

_NOT_ASKED = ("multus", "loopback")
_FILES = ("host-local", "static")
"""IPAMs whose CHECK reads files; another one's could ask the API server, or run a program."""


SLACK = 4
"""How many times its processor time the whole may take: others want the machine, and programs are waited for."""


class Verdicts:
    """`patience` is in seconds of the processor; `skipped` counts the attachments that were not checked any more."""

    def __init__(self, site: Site, patience: float) -> None:
        self.skipped = 0
        self._site = site
        self._until = time.process_time() + patience
        self._deadline = time.monotonic() + patience * SLACK

    def of(self, one: Observed) -> list[str]:
        """What differs, a sentence each."""
        if time.process_time() > self._until or time.monotonic() > self._deadline:
            self.skipped += 1
            return []
        wrong: list[str] = []
        for plugin in plugins_of(one.attachment):
            kind = plugin.raw.get("type")
            if isinstance(kind, str) and kind in PLUGINS and kind not in _NOT_ASKED and _is_local(plugin):
                wrong += self._ask(one, kind, plugin)
        return wrong

    def _ask(self, one: Observed, kind: str, section: Section) -> list[str]:
        plugin = load(kind)
        if plugin is None:
            return []
        try:
            plugin.check(self._request(one, section))
        except CheckFailed as failed:
            _, _, what = failed.message.partition(": ")
            return (what or failed.message).split("; ")
        except (CniError, OSError, ValueError) as error:
            return [] if is_forbidden(error) else [f"{kind} cannot check it: {error}"]  # who may not look says so once
        return []

    def _request(self, one: Observed, section: Section) -> Request:
        known, attachment = one.known, one.attachment
        document = {
            **section.raw,
            "name": one.key.network,
            "cniVersion": attachment.network.get("cniVersion") or NEWEST,
        }
        asked = section.raw.get("capabilities")
        declared = asked if isinstance(asked, dict) else {}
        runtime = {key: value for key, value in attachment.capabilities.items() if declared.get(key) is True}
        if runtime:
            document["runtimeConfig"] = runtime
        return Request(
            "CHECK",
            Section(document),
            os.environ,
            container_id=known.container_id,
            netns=known.netns,
            ifname=one.ifname,
            arguments={"IgnoreUnknown": "1", **known.arguments, **attachment.arguments},
            previous=one.result,
            sandbox=f"{known.container_id}@{known.ifname}",
        )


def _is_local(plugin: Section) -> bool:
    ipam = plugin.raw.get("ipam")
    kind = ipam.get("type") if isinstance(ipam, dict) else None
    return not kind or kind in _FILES
