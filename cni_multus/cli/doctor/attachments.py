"""The journal against the kernel: sandboxes that are gone, damaged or unfinished records, what differs."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.deleting import delete
from cni_multus.cli.doctor.finding import ERROR, WARNING, Check, Finding, Mending
from cni_multus.cli.inspect.records import GO_MULTUS, JOURNAL
from cni_multus.cli.inspect.sandbox import ANOTHER, EARLIER, GONE, LIVE
from cni_multus.cli.ipam.held import IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.inspect.sandbox import Sandbox

_OURS = (JOURNAL, GO_MULTUS)
"""What only the runtime remembers is another CNI's business."""
_GONE = (GONE, ANOTHER, EARLIER)
_SHOWN = 8
_BELOW = re.compile(r"^(its )?(master|bridge) \S+ is down$|^the node does not forward")
"""What is a finding of its own, once for all pods."""


def orphans(patient: Patient) -> Iterator[Finding]:
    """Records whose namespace is gone."""
    for sandbox in patient.sandboxes:
        if sandbox.known is None or sandbox.known.origin not in _OURS or sandbox.state not in _GONE:
            continue
        known = sandbox.known
        is_ours = known.origin == JOURNAL
        left = [text for one in sandbox.observed for text in one.wrong if text.startswith("left on the node")]
        held = [f"{owned.address} in {owned.record}" for one in sandbox.observed for owned in one.owned if owned.record]
        yield Finding(
            ERROR if is_ours else WARNING,
            f"pod {sandbox.pod} is on record, and its namespace is gone",
            [f"record: {known.path}", *sandbox.wrong[:2], *left[:_SHOWN], *held[:_SHOWN]],
            "its addresses and ports are taken by nobody: a pool may run out, and a port cannot be mapped",
            "the runtime's next GC takes it away, or a DEL: `multus doctor --fix --only record-orphan`"
            if is_ours
            else f"if the runtime does not know container {known.container_id} any more, remove the file",
            Mending(f"DEL of {sandbox.pod} by its record {known.path}", lambda at=sandbox: delete(patient, at))  # type: ignore[misc]
            if is_ours
            else None,
        )


def damaged(patient: Patient) -> Iterator[Finding]:
    """Records that nobody can read."""
    for known in patient.node.known:
        if known.trouble and known.origin == JOURNAL:
            yield Finding(
                ERROR,
                f"the record {known.path} is damaged: {known.trouble}",
                [f"head -c 300 {known.path}"],
                f"DEL of container {known.container_id} works by what the kernel shows, and may leave addresses",
                "keep a copy; the DEL of the pod, when it is deleted, takes the file away",
            )


def unfinished(patient: Patient) -> Iterator[Finding]:
    """An ADD that was killed, or a DEL that could not end."""
    for sandbox in patient.sandboxes:
        known = sandbox.known
        if known is None or known.origin != JOURNAL or known.worker or sandbox.state in _GONE:
            continue
        record = known.record
        if record is not None and record.failed:
            yield _unfinished(sandbox, "a DEL of pod {} was begun, and could not end", "the pod stays in Terminating")
        elif record is not None and not record.complete and time.time() - record.created > IN_FLIGHT:
            yield _unfinished(sandbox, "an ADD of pod {} was begun, and never ended", "the pod stays as it is")


def sysctls(patient: Patient) -> Iterator[Finding]:
    """Kernel settings that tuning made, and somebody changed since."""
    for sandbox in patient.sandboxes:
        for one in sandbox.observed:
            for setting in one.settings:
                if setting.wrong and sandbox.state == LIVE:
                    yield Finding(
                        ERROR,
                        f"somebody changed {setting.name} in pod {sandbox.pod}: it was set to {setting.wanted}, and is "
                        f"{setting.value}",
                        [
                            f"journal: {setting.key} = {setting.wanted} (network {one.network}, {one.ifname})",
                            f"kernel: {setting.value}, in {sandbox.netns}",
                        ],
                        "two programs want other values: whichever writes last decides, at each start of a pod",
                        "find the other one (an init container, a sysctl of the pod, another network's tuning) and let "
                        "one of them decide",
                    )


def differing(patient: Patient) -> Iterator[Finding]:
    """Interfaces that are not as they were attached."""
    for sandbox in patient.sandboxes:
        if sandbox.state != LIVE or not sandbox.differs or not sandbox.known or sandbox.known.origin not in _OURS:
            continue
        told = {str(each.difference) for one in sandbox.observed for each in one.settings if each.wrong}
        wrong = [
            f"{one.ifname}: {text}"
            for one in sandbox.observed
            for text in one.wrong
            if not _BELOW.search(text) and not any(known in text for known in told)
        ]
        if wrong:
            yield Finding(
                ERROR,
                f"pod {sandbox.pod} is not as it was attached: {wrong[0]}",
                [*wrong[1:_SHOWN], f"multus inspect {sandbox.pod}"],
                "the pod's network does not work as its network-status says",
                "find who changed it; a pod that is started anew gets its interfaces anew",
            )


def scratch(patient: Patient) -> Iterator[Finding]:
    """Files of the Go Multus that say nothing."""
    old = [known for known in patient.node.known if known.origin == GO_MULTUS and (known.trouble or known.begun)]
    if old:
        yield Finding(
            WARNING,
            f"{len(old)} scratch files of the Go Multus cannot be read: {old[0].path}",
            [known.trouble or f"{known.path} is empty" for known in old[:_SHOWN]],
            "nothing of those pods can be taken apart but by their runtime's own records",
            "remove them where the runtime does not know the containers (crictl pods)",
        )


def _unfinished(sandbox: Sandbox, what: str, breaks: str) -> Finding:
    path = sandbox.known.path if sandbox.known else ""
    return Finding(
        ERROR,
        what.format(sandbox.pod),
        [f"record: {path}", *sandbox.differences[:_SHOWN]],
        f"{breaks}, and what it has stays taken",
        "the log of multus says why; the runtime tries again, and `multus history` shows how that ended",
    )


CHECKS = (
    Check("record-damaged", "every record can be read", damaged),
    Check("record-orphan", "the namespace of every record is there", orphans),
    Check("record-unfinished", "no ADD and no DEL was left half done", unfinished),
    Check("sysctl-changed", "kernel settings of pods are as they were set", sysctls),
    Check("attachment-differs", "interfaces of pods are as they were attached", differing),
    Check("go-scratch", "files of the Go Multus can be read", scratch),
)
