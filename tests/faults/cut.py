"""Every file that an ADD wrote, cut or zeroed from some byte on; then DEL, the next ADD, another pod's, CHECK or GC.

Cut is what a full disk or somebody's editor leaves, zeroed what a power cut leaves on ext4 and xfs. A case is written
`DEL multus/journal/pod-0@eth0 512 zeroed`: of this file only the first 512 bytes are what they were, and a DEL follows.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cni_multus.linux.links import add_veth, change_link
from tests.conftest import LIBC, MNT_DETACH, make_namespace
from tests.faults.cases import Bench, Verdict, document_of, manners, told_by
from tests.faults.scene import Scene
from tests.node import Pod, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.inject import Ended

PAGE = 512
CUT, ZEROED = "cut", "zeroed"
FOLLOWING = ("DEL", "ADD", "OTHER", "CHECK", "GC")
"""What comes next: OTHER is the ADD of a third pod, for which there is no address as long as the pod has its own."""
IN_TURN = 2
"""How many of them each spoilt file meets."""
NO_ADDRESS = 11
ONLY_THERE = {
    # A runtime's DEL names the namespace. GC does not, and what is in one goes with it.
    ("GC", "multus/journal/"): re.compile(r"pod: |gone: pod: "),
    # The device is at home, under its name. That it was up only this file knew.
    ("", "state/host-device/"): re.compile(r"(gone: )?node: .*\bdev0\b"),
    # It is only for people, and the next ADD writes it again.
    ("", "state/whereabouts/domain/"): re.compile("file state/whereabouts/domain/"),
}
"""What may stay after a verb where a file was lost that is the only one to know it."""


class CrowdedScene(Scene):
    """Another pod waits for the addresses of this one, and what is done is logged."""

    def __init__(self, root: Path, program: Path) -> None:
        make_namespace(root / "third")
        self.third = Pod(str(root / "third"), "pod-2")
        super().__init__(root, program)

    def config(self, pod: Pod | None = None) -> dict[str, Any]:
        config = super().config(pod)
        if pod is self.third:
            config["delegates"] = self.networks(2)
            del config["runtimeConfig"]["portMappings"]
        return {**config, "logFile": str(self.root / "log" / "multus.log"), "logLevel": "debug"}

    def close(self) -> None:
        super().close()
        LIBC.umount2(os.fsencode(self.root / "third"), MNT_DETACH)

    def namespaces(self) -> dict[str, str]:
        return {**super().namespaces(), "third": self.third.netns}

    def _prepare(self) -> None:
        super()._prepare()
        link = add_veth(self.host, "dev2", peer="dev2-peer", peer_namespace=self.host)
        change_link(self.host, link.parent, up=True)
        settle(self.host)


class CutBench(Bench):
    """Cuts files."""

    kind = CrowdedScene
    scene: CrowdedScene
    damaged = False
    """Whether something is not as it was that no request can know of any more."""

    def cases(self) -> list[str]:
        self.bring(attached=True)
        spoilt = [
            f"{path} {length} {how}"
            for path, size in self._files()
            for length in lengths(size)
            for how in (CUT, ZEROED)
        ]
        return [
            f"{FOLLOWING[(at + turn) % len(FOLLOWING)]} {each}"
            for at, each in enumerate(spoilt)
            for turn in range(IN_TURN)
        ]

    def row_of(self, case: str) -> str:
        following, path, _, _ = case.split(" ")
        then = {"OTHER": "another pod's ADD", "ADD": "next ADD"}.get(following, following)
        return f"{_called(path)}, then {then}"

    def examine(self, case: str, verdict: Verdict) -> None:
        following, path, length, how = case.split(" ")
        self.bring(attached=True)
        spoil(self.scene.root / path, int(length), zeroed=how == ZEROED)
        self.attached = self.damaged = False
        getattr(self, f"_{following.lower()}_follows")(path, verdict)
        if not verdict.problems and not self.damaged:
            self.attached = self.must(verdict, "ADD")
        if self.damaged and not verdict.problems:
            self.renew()

    def _files(self) -> list[tuple[str, int]]:
        """What there is of this pod, and of all pods together: paths below the root, and sizes."""
        found = []
        for top in ("multus", "state", "log"):
            for directory, _, names in os.walk(self.scene.root / top):
                for name in names:
                    path = os.path.join(directory, name)
                    if os.path.islink(path) or not os.path.getsize(path) or _is_others(path):
                        continue
                    found.append((os.path.relpath(path, self.scene.root), os.path.getsize(path)))
        return sorted(found)

    def _del_follows(self, path: str, verdict: Verdict) -> None:
        self._recovered_by("DEL", path, verdict)

    def _gc_follows(self, path: str, verdict: Verdict) -> None:
        self._recovered_by("GC", path, verdict)

    def _recovered_by(self, verb: str, path: str, verdict: Verdict) -> None:
        verdict.by = verb
        ended = self.scene.ask(verb)
        verdict.problems += manners(verb, ended)
        if ended.status:
            self._expect_told(path, ended, verdict)
            os.unlink(self.scene.root / path)
            self.must(verdict, verb)
        self.expect_clean(verdict, verb)

    def _add_follows(self, path: str, verdict: Verdict) -> None:
        """The runtime asks again for what there is; then it deletes the sandbox, and makes another."""
        ended = self.scene.ask("ADD")
        verdict.problems += manners("ADD", ended)
        if ended.status == 0:
            self.expect_attached(verdict, "an ADD of what it does not know")
        self._del_follows(path, verdict)
        if self.must(verdict, "ADD"):
            verdict.by = "next ADD"
            self.expect_attached(verdict, "the next ADD")
            self._del_follows(path, verdict)

    def _check_follows(self, path: str, verdict: Verdict) -> None:
        self.audit.settle()
        before = self.audit.glance()
        ended = self.scene.ask("CHECK")
        verdict.problems += manners("CHECK", ended)
        if self.audit.glance() != before:
            wrong = self.audit.wrong()
            verdict.found("CHECK changes", {name: value for name, value in wrong.items() if path not in name})
        self._del_follows(path, verdict)

    def _other_follows(self, path: str, verdict: Verdict) -> None:
        ended = self.scene.ask("ADD", self.scene.third)
        verdict.problems += manners("ADD", ended)
        if ended.status == 0:
            verdict.problems.append(f"another pod gets an address that one has: {told_by(ended)}")
        elif document_of(ended)["code"] != NO_ADDRESS:
            self._expect_told(path, ended, verdict)
        self._del_follows(path, verdict)
        if not verdict.problems and self.must(verdict, "ADD", pod=self.scene.third):
            self.must(verdict, "CHECK", pod=self.scene.third)
            self.must(verdict, "DEL", pod=self.scene.third)
            self.expect_clean(verdict, "another pod's DEL")

    def expect_clean(self, verdict: Verdict, what: str) -> None:
        if self.audit.is_clean():
            return
        left = self.audit.left()
        verb, path, _, _ = verdict.case.split(" ")
        for (of, top), known in ONLY_THERE.items():
            if of in ("", verb) and path.startswith(top) and left:
                left = {name: value for name, value in left.items() if not known.match(name)}
                verdict.by = f"{verdict.by}, but for what only this file knew" if not left else verdict.by
                self.damaged = True
        if verb == "OTHER" and set(left) == {f"file {path}"}:
            # Who looked for an address in vain has read everything anew, and whom this names by now nobody knows.
            verdict.by = "GC"
            left = self.audit.left() if self.must(verdict, "GC") else left
        verdict.found(f"{what} leaves", left)

    def _expect_told(self, path: str, ended: Ended, verdict: Verdict) -> None:
        """A failure has to name the file."""
        verdict.by, verdict.said = "an error that names it", told_by(ended)
        if os.path.basename(path) not in ended.stdout.decode(errors="replace"):
            verdict.problems.append(f"fails without a word about the file: {told_by(ended)}")


def lengths(size: int) -> list[int]:
    """How much of a file is left."""
    return sorted({0, min(1, size - 1), *range(0, size, PAGE), size - 1})


def spoil(path: Path, length: int, *, zeroed: bool) -> None:
    """Leave so many bytes of a file; the time that it was changed stays."""
    found = path.stat()
    os.truncate(path, length)
    if zeroed:
        os.truncate(path, found.st_size)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _called(path: str) -> str:
    """What a file is."""
    name = os.path.basename(path)
    if path.startswith("multus/journal/"):
        return "record"
    if path.startswith("log/"):
        return "log"
    if "/.multus/" in path:
        return "index of addresses"
    if "/whereabouts/" in path:
        return "lease" if "/lease/" in path else "whereabouts' other files"
    if name.startswith("last_reserved_ip"):
        return "last_reserved_ip"
    return "what a plugin keeps" if name.endswith(".json") else "reservation"


def _is_others(path: str) -> bool:
    """Whether it is of the pod that nobody may disturb alone."""
    if "/blocks/" in path or path.endswith("stamp") or "/log/" in path:
        return False
    with open(path, "rb") as file:
        content = file.read()
    return b"pod-1" in content and b"pod-0" not in content
