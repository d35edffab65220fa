"""What other plugins' programs print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError, DelegateFailure, ForeignFailure
from cni_multus.cni.request import Request
from cni_multus.delegate import Program, _failure
from cni_multus.program import Outcome
from tests.fuzz.seeds import RESULT, printed
from tests.fuzz.target import target
from tests.fuzz.targets.protocol import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterable


class Printing(Program):
    """A program that has printed this, and ended so."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("/opt/cni/bin/x")
        self.outcome = outcome

    def refuse_unguarded(self) -> None: ...

    def _call(self, verb: str, request: Request) -> Outcome:
        if self.outcome.status:
            raise _failure(self.path, self.outcome)
        return self.outcome


def outputs() -> Iterable[bytes]:
    yield printed(RESULT)
    yield b"null"
    yield printed({"cniVersion": "0.2.0", "ip4": {"ip": "10.0.0.5/24"}})
    yield printed({"cniVersion": "1.0.0", "code": 11, "msg": "try again", "details": "d"})


@target(101, seeds=outputs, words=("code", "msg", "details"))
def delegate(data: bytes) -> None:
    request = Request.of({**ENVIRONMENT, "CNI_COMMAND": "ADD"})
    request.config = Section({"name": "net", "cniVersion": "1.0.0"})
    for status, stderr in ((1, b""), (-9, data), (127, data)):
        try:
            Printing(Outcome(status, data, stderr)).add(request)
        except DelegateFailure:
            continue
        except CniError as error:
            _judge(error)
    try:
        result = Printing(Outcome(0, data, b"")).add(request)
    except ForeignFailure as error:  # an error was printed, whatever the exit status says
        _judge(error)
    else:
        json.dumps(result.to_json("1.1.0"))


def _judge(error: CniError) -> None:
    assert 0 < error.code < 1 << 32
    assert error.message
