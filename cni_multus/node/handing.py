"""An uninstallation that hands the pods over: what it does besides, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cni.errors import InvalidEnvironment
from cni_multus.node.changes import CHANGE
from cni_multus.node.handover import HandOver
from cni_multus.node.successor import Successor

if TYPE_CHECKING:
    from cni_multus.node.changes import Changes
    from cni_multus.node.receipt import Receipt
    from cni_multus.node.removal import Removal

_SHOWN = 5


class Unhandable(InvalidEnvironment):
    """Pods run that only this program can take apart."""


class Handing:
    """The steps, each of which may be done again."""

    def __init__(self, receipt: Receipt, changes: Changes, removal: Removal) -> None:
        self._receipt = receipt
        self._changes = changes
        self._hand_over = HandOver(receipt)
        self._successor = Successor(receipt, changes, removal)

    def refuse(self) -> None:
        """Raise what keeps pods from being handed over, before anything is touched."""
        if reasons := self._hand_over.refusals():
            more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
            raise Unhandable(
                f"pods cannot be handed over to the Go Multus: {'; '.join(reasons[:_SHOWN])}{more}",
                "end these pods, on this node, and try again; or uninstall without --hand-over, and they keep us here",
            )

    def carry_out(self) -> list[str]:
        """Hand over what there is; what is left."""
        if self._changes.dry:
            keys = self._hand_over.keys()
        else:
            self._hand_over.guard()
            keys = self._hand_over.hand_over()
        for key in keys:
            path = f"{self._receipt.cni_dir}/journal/{key}"
            self._changes.do(CHANGE, path, lambda: None, "handed over to the Go Multus")
        return [] if self._changes.dry else self._hand_over.left()

    def place(self) -> bool:
        """Let the Go Multus serve; False where it has not come yet."""
        if not self._successor.is_ready():
            return False
        self._successor.place()
        return True
