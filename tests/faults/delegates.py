"""Programs in the plugin directory that misbehave: as the primary, as a secondary, or within a chain; in every verb.

The programs make a link with an address and a file, so that whatever is not taken back is seen. Each does what a file
of its type and verb says, `instead` of its work or `after` it. A case is written `ADD first after hang DEL`: the
program `first` does its work in ADD, then hangs, and a DEL follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.faults.cases import Bench, Verdict, manners, told_by
from tests.faults.scene import Scene

if TYPE_CHECKING:
    from tests.faults.inject import Ended
    from tests.node import Pod

TYPES = {"first": "the primary", "second": "a secondary", "third": "in a chain"}
TIMEOUT = 2
PATIENCE = 30
"""delegateTimeout where programs misbehave, and where they do not, in seconds."""

PROGRAM = r"""#!/bin/sh
root={root} type={type}
input=$(cat)
file=$root/state/programs/$CNI_CONTAINERID-$CNI_IFNAME-$type
misbehave() {{ if [ -e $root/misbehave/$type-$CNI_COMMAND-$1 ]; then . $root/misbehave/$type-$CNI_COMMAND-$1; fi; }}
in_pod() {{ nsenter --net=$CNI_NETNS ip "$@"; }}
misbehave instead
case $CNI_COMMAND in
ADD)
  mkdir -p $root/state/programs; echo $CNI_NETNS > $file
  if [ $type != third ]; then
    in_pod link add $CNI_IFNAME address 02:00:00:00:09:0{number} type veth peer name p$CNI_IFNAME
    in_pod addr add 10.9.{number}.1/24 dev $CNI_IFNAME
  fi ;;
DEL)
  if [ $type != third ] && [ -e "$CNI_NETNS" ]; then in_pod link del $CNI_IFNAME 2>/dev/null; fi
  rm -f $file ;;
GC)
  for each in $root/state/programs/*-$type; do
    case $each in */pod-1-*) ;; *) rm -f $each ;; esac
  done ;;
CHECK)
  [ -e $file ] || {{ echo '{{"cniVersion": "1.1.0", "code": 102, "msg": "it is not there"}}'; exit 1; }} ;;
esac
misbehave after
if [ $CNI_COMMAND = ADD ]; then
  if [ $type = third ]; then input=${{input#*\"prevResult\":}}; echo "${{input%\}}}}"; else
  echo '{{"cniVersion": "1.1.0", "interfaces": [{{"name": "'$CNI_IFNAME'", "sandbox": "'$CNI_NETNS'"}}],' \
    '"ips": [{{"address": "10.9.{number}.1/24", "interface": 0}}]}}'; fi
fi
exit 0
"""

RESULT = '{"cniVersion": "1.1.0", "interfaces": [{"name": "%s", "sandbox": "\'$CNI_NETNS\'"}], "ips": [%s]}'
FAILURES = {
    **{
        f"code-{code}": f"""echo '{{"cniVersion": "1.1.0", "code": {code}, "msg": "no"}}'; exit 1"""
        for code in (1, 3, 5, 7, 8, 11, 50, 100, 999, 0, -1, 4294967296)
    },
    "status-only": "exit 3",
    "garbage-and-failure": "echo garbage; exit 1",
    "flood-and-failure": "head -c 100000000 /dev/zero; exit 1",
    "hang": "exec sleep 1000",
    "ignores-TERM": "trap '' TERM HUP INT; sleep 1000; sleep 1000",
    **{name: f"kill -{name} $$; sleep 1000" for name in ("SEGV", "KILL", "TERM", "ABRT", "PIPE")},
    "stops": "kill -STOP $$",
    "flood-of-errors": "head -c 100000000 /dev/zero >&2; exit 1",
    "endless": "exec cat /dev/zero",
    "hang-with-children": "sleep 1000 & sleep 1000 & wait",
}
"""What is no success, in any verb."""
ODDITIES = {
    "flood-of-errors-and-success": "head -c 10000 /dev/zero >&2",
    "closes-stdout": "exec >&-",
    "child-keeps-stdout": "sleep 3 &",
    "child-in-a-session-keeps-stdout": "setsid sleep 3 &",
}
"""What need not be one: whatever comes of it, it must be told truly."""
PRINTED = {
    "nothing": "exit 0",
    "garbage": "echo garbage; exit 0",
    "two-documents": """echo '{"cniVersion": "1.1.0"} {"cniVersion": "1.1.0"}'; exit 0""",
    "half-a-document": """printf '{"cniVersion": "1.1.0", "interf'; exit 0""",
    "flood": "head -c 100000000 /dev/zero; exit 0",
    "invalid-UTF-8": r"""printf '{"cniVersion": "1.1.0", "x": "\377\376"}'; exit 0""",
    "a-list": "echo '[]'; exit 0",
    "a-string": """echo '"attached"'; exit 0""",
    "another-interface": f"echo '{RESULT % ('eth77', '')}'; exit 0",
    "a-name-that-is-a-path": f"echo '{RESULT % ('../../x', '')}'; exit 0",
    "an-address-that-is-not-there": f"""echo '{RESULT % ("'$CNI_IFNAME'", '{"address": "192.0.2.7/24"}')}'; exit 0""",
    "an-address-of-no-interface": f"""echo '{RESULT % ("x", '{"address": "192.0.2.7/24", "interface": 7}')}'; exit 0""",
    "an-address-that-is-none": f"""echo '{RESULT % ("eth0", '{"address": "192.0.2.777/24"}')}'; exit 0""",
    "a-version-that-nobody-speaks": """echo '{"cniVersion": "9.9.9"}'; exit 0""",
    "an-error-and-success": """echo '{"cniVersion": "1.1.0", "code": 7, "msg": "no"}'; exit 0""",
    "very-deep": "head -c 100000 /dev/zero | tr '\\0' '['; exit 0",
    "long-number": """printf '{"x": 1'; head -c 100000 /dev/zero | tr '\\0' 0; echo '}'; exit 0""",
}
"""What is printed with an exit status of success; only ADD's is read."""

MUST_FAIL = {
    *FAILURES,
    *("garbage", "two-documents", "half-a-document", "flood", "invalid-UTF-8", "a-list", "a-string"),
    *("an-address-of-no-interface", "an-address-that-is-none", "a-version-that-nobody-speaks"),
    *("an-error-and-success", "very-deep"),
}
"""An ADD to which a program answers so cannot have succeeded."""
WHEN = ("instead", "after")
RECOVERIES = {
    "ADD": ("DEL", "ADD", "GC"),
    "DEL": ("DEL", "ADD", "GC"),
    "GC": ("GC", "DEL", "ADD"),
    "CHECK": ("DEL",),
    "STATUS": ("DEL",),
    "ADD+DEL": ("DEL", "ADD", "GC"),
}
"""What follows which verb; in ADD+DEL the program misbehaves in both, so that what it made cannot be taken back."""


class ProgramScene(Scene):
    """Two of the pod's networks are programs, and a third has one at its end."""

    def _prepare(self) -> None:
        (self.root / "misbehave").mkdir()
        for number, kind in enumerate(TYPES, 1):
            path = self.root / "bin" / kind
            path.write_text(PROGRAM.format(root=self.root, type=kind, number=number))
            path.chmod(0o755)
        super()._prepare()

    def config(self, pod: Pod | None = None) -> dict[str, Any]:
        return {**super().config(pod), "delegateTimeout": PATIENCE, "retryDeleteOnError": True}

    def networks(self, at: int) -> list[dict[str, Any]]:
        lent = self._lent(at)
        lent["plugins"].append({"type": "third"})
        return [self._list("one", {"type": "first"}), self._shared(at), self._list("two", {"type": "second"}), lent]

    def misbehave(self, kind: str, verb: str, when: str, how: str) -> None:
        """Let a program do this from now on."""
        (self.root / "misbehave" / f"{kind}-{verb}-{when}").write_text(how + "\n")

    def behave(self) -> None:
        """Let all of them do their work again."""
        for path in (self.root / "misbehave").iterdir():
            path.unlink()


class DelegatesBench(Bench):
    """Lets programs misbehave."""

    kind = ProgramScene
    scene: ProgramScene

    def cases(self) -> list[str]:
        found: list[str] = []
        for verb, recoveries in RECOVERIES.items():
            printed = PRINTED if "ADD" in verb else {}
            for how in {**FAILURES, **ODDITIES, **printed}:
                if verb == "ADD+DEL" and how not in FAILURES:
                    continue
                for at, kind in enumerate(TYPES):  # those who put things right take turns
                    recovery = recoveries[(at + len(found) // len(TYPES)) % len(recoveries)]
                    found.append(f"{verb} {kind} {WHEN[len(found) % 2]} {how} {recovery}")
        return found

    def row_of(self, case: str) -> str:
        verb, kind, _, how, _ = case.split(" ")
        what = "fails" if how in FAILURES else "answers oddly"
        return f"{verb.replace('+', ' and ')}: a program {what}, {TYPES[kind]}"

    def examine(self, case: str, verdict: Verdict) -> None:
        verb, kind, when, how, recovery = case.split(" ")
        attach = not verb.startswith("ADD")
        self.bring(attached=attach)
        before = self.audit.glance()
        for each in verb.split("+"):
            self.scene.misbehave(kind, each, when, {**FAILURES, **ODDITIES, **PRINTED}[how])
        config = {**self.scene.config(), "delegateTimeout": TIMEOUT}
        ended = self.scene.ask(verb.partition("+")[0], config=config)
        self.scene.behave()
        self.attached = False
        verdict.said = told_by(ended)
        verdict.problems += manners(verb.partition("+")[0], ended)
        if ended.status == 0 and how in MUST_FAIL:
            verdict.problems.append(f"{verb} succeeds")
        if verb in ("CHECK", "STATUS"):
            if self.audit.glance() != before:
                verdict.found(f"{verb} changes", self.audit.wrong())
            self.attached = True
            return
        self._judge_what_is_left(verb, recovery, ended, verdict)

    def _judge_what_is_left(self, verb: str, recovery: str, ended: Ended, verdict: Verdict) -> None:
        if verb == "ADD" and ended.status:
            verdict.by = "ADD itself"
            self.expect_clean(verdict, "an ADD that fails")
        if verb == "ADD" and ended.status == 0:
            self.must(verdict, "DEL" if recovery == "ADD" else recovery)
            verdict.by = "DEL" if recovery == "ADD" else recovery
            self.expect_clean(verdict, f"the {verdict.by} after it")
            return
        if verb in ("DEL", "GC") and ended.status == 0:
            self.expect_clean(verdict, f"a {verb} that succeeds")
        elif verb != "ADD":
            verdict.by = recovery if recovery != "ADD" else "next ADD"
        if self._put_right_by(recovery, verdict):
            self.expect_clean(verdict, f"the {recovery} after it")

    def _put_right_by(self, recovery: str, verdict: Verdict) -> bool:
        if recovery != "ADD":
            return self.must(verdict, recovery)
        if not self.must(verdict, "ADD"):
            return False
        self.expect_attached(verdict, "the next ADD")
        return self.must(verdict, "DEL")
