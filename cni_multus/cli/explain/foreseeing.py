"""An ADD that stops where it would begin to change things: the real plan, and what each network of it would come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cni_multus.cli.explain.addresses import Addresses
from cni_multus.cli.explain.networks import Foreseen, foresee
from cni_multus.cni.errors import CniError, TryAgainLater
from cni_multus.linux.netns import Namespace
from cni_multus.multus.adding import Adding
from cni_multus.multus.plan import Planned, refuse_taken_names, require_programs
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.request import Request
    from cni_multus.multus.kubernetes import Kubernetes
    from cni_multus.multus.settings import Settings


@dataclass(frozen=True)
class Problem:
    """What an ADD would end with; `ifname` is "" for what is about the pod as a whole."""

    ifname: str
    error: CniError

    @property
    def text(self) -> str:
        """The message with what it says besides."""
        return f"{self.error.message} ({self.error.details})" if self.error.details else self.error.message

    def to_json(self) -> dict[str, object]:
        """As the CNI error that it would be."""
        shown: dict[str, object] = {"interface": self.ifname, "code": self.error.code, "msg": self.error.message}
        return {**shown, **({"details": self.error.details} if self.error.details else {})}


@dataclass
class Outlook:
    """What would become of an ADD: its networks in order, and all that would be in the way, the first one first."""

    networks: list[Foreseen] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Foreseeing(Adding):
    """Plans with the very code of an ADD; it has no log, tells nobody, and waits for nothing."""

    def __init__(self, request: Request, settings: Settings, kubernetes: Kubernetes) -> None:
        self.request = request
        self.settings = settings
        self.kubernetes = kubernetes
        self.pod = None
        self.wanted = {}
        self.telling = None

    def outlook(self, pod_of: Callable[[str], str]) -> Outlook:
        """Everything that can be foreseen; `pod_of` tells the pod of a container."""
        found = Outlook()
        try:
            planned = self._decide()
        except CniError as error:
            found.problems.append(Problem("", error))
            return found
        self._look_at_node(found, planned)
        addresses = Addresses(pod_of)
        with Namespace.host() as host:
            for one, wanted in zip(planned, self.wanted.values(), strict=True):
                foreseen = foresee(one, one.request(self.request, self.settings, self.request.netns), host, addresses)
                foreseen.why = wanted.where or "configured"
                found.networks.append(foreseen)
                found.problems += [Problem(one.ifname, error) for error in foreseen.problems]
        return found

    def _look_at_node(self, found: Outlook, planned: list[Planned]) -> None:
        """What an ADD meets before the first attachment, in its order."""
        if not self._is_ready():
            late = TryAgainLater(
                f"readinessindicatorfile: {self.settings.readiness_file} is not there: the primary CNI is not ready"
            )
            found.problems.append(Problem("", late))
        for step in (self._require_programs, self._refuse_closed, self._refuse_taken):
            try:
                step(planned)
            except CniError as error:
                found.problems.append(Problem("", error))

    def _require_programs(self, planned: list[Planned]) -> None:
        require_programs(planned, self.request, self.settings)

    def _refuse_closed(self, planned: list[Planned]) -> None:
        if Journal(self.settings.cni_dir).is_closed:
            raise TryAgainLater("multus is being removed from this node; the runtime reads its configuration again")

    def _refuse_taken(self, planned: list[Planned]) -> None:
        if self.request.netns:
            refuse_taken_names(planned, self.request.netns)

    def _await_readiness(self) -> None:
        """An ADD would wait for the primary's file; here it is told that this is missing."""
