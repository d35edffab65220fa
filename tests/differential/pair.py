"""Ours and the reference, asked the same, and what came of it compared."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tests.differential.compare import differences, normalised, random_macs
from tests.differential.intended import unintended
from tests.differential.tally import COMPARED, NEEDED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.differential.compare import Difference
    from tests.differential.side import Answer, Config, Side
    from tests.differential.tally import Record

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
WITH_INTERFACES = VERSIONS[2:]
WITH_PREVIOUS = ("0.4.0", "1.0.0", "1.1.0")
PATIENCE = 20  # seconds for what the kernel does in its own time: on an idle machine it takes one
AT_ONCE = 7  # comparisons; most of the time they wait for the kernel


class Pair:
    """Both sides; what they are asked to do, they do at the same time."""

    def __init__(self, ours: Side, theirs: Side, record: Record) -> None:
        self.ours = ours
        self.theirs = theirs
        self._record = record

    def both(self, work: Callable[[Side], Any]) -> tuple[Any, Any]:
        """What `work` returns for ours and for theirs."""
        futures = [side.start(work, side) for side in (self.ours, self.theirs)]
        first, second = (future.result() for future in futures)
        return first, second

    def call(self, verb: str, config: Config | str, **how: Any) -> tuple[Answer, Answer]:
        """The same request to both."""
        return self.both(lambda side: side.call(verb, config, **how))

    def attach_and_detach(self, config: Config, version: str, environment: Mapping[str, str]) -> list[str]:
        """ADD and DEL on both sides; what nobody meant to be different in results, in between and of what is left."""
        asked = {"cniVersion": version, "name": "net", **config}
        results = [answer.succeeded() for answer in self.call("ADD", asked, environment=environment)]
        words = json.dumps([asked, dict(environment)])
        found = self.settled(version, words, "after ADD", results)
        known = {
            side.name: result if version in WITH_PREVIOUS else None
            for side, result in zip((self.ours, self.theirs), results, strict=True)
        }
        for answer in self.both(
            lambda side: side.call("DEL", asked, previous=known[side.name], environment=environment)
        ):
            assert answer.succeeded() == {}
        return found + self.settled(version, words, "after DEL", [{}, {}])

    def settled(self, version: str, asked: str, when: str, results: list[Config], *, kind: str = "") -> list[str]:
        """The differences that nobody meant, once the kernel has had its time; `kind` is the plugin it is about."""
        deadline = time.monotonic() + PATIENCE
        while True:
            every = self._differences(asked, when, results)
            found, needed = unintended(every, version)
            if not found or time.monotonic() > deadline:
                self.note(asked, kind=kind, meant=len(every) - len(found), others=len(found))
                for entry in needed:
                    self._record(NEEDED, entry)
                return [str(one) for one in found]
            time.sleep(0.05)

    def note(self, asked: str, *, kind: str = "", meant: int = 0, others: int = 0) -> None:
        """Tell the tally how a comparison came out; `asked` is JSON, a configuration or a list that begins with it."""
        told = json.loads(asked)
        config = told[0] if isinstance(told, list) else told
        whatever_version = asked.replace(f'"cniVersion": "{config.get("cniVersion")}"', "")
        self._record(COMPARED, [kind or config["type"], whatever_version, meant, others])

    def _differences(self, asked: str, when: str, results: list[Config]) -> list[Difference]:
        sides = (self.ours, self.theirs)
        seen = []
        for side, shown, result in zip(sides, self.both(lambda side: side.shown()), results, strict=True):
            macs = random_macs(shown, asked)
            seen.append(normalised({when: {**shown, "result": result}}, side, macs))
        return differences(*seen)


class Versions:
    """The same comparison for several versions, each by a pair of its own, some at a time."""

    def __init__(self, make_pair: Callable[[], Pair]) -> None:
        self.make_pair = make_pair

    def attach_and_detach(
        self,
        config: Config,
        versions: tuple[str, ...] = VERSIONS,
        environment: Mapping[str, str] = MappingProxyType({}),
        before: Callable[[Side], object] = lambda side: None,
    ) -> dict[str, list[str]]:
        """`before` and then ADD and DEL; by version, what nobody meant to be different."""

        def compare(version: str) -> list[str]:
            pair = self.make_pair()
            try:
                pair.both(before)
                return pair.attach_and_detach(config, version, environment)
            except AssertionError as failure:
                failure.add_note(f"with cniVersion {version}")
                raise

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(versions, pool.map(compare, versions), strict=True))
        return {version: differences for version, differences in found.items() if differences}
