"""The marks of an attachment: short enough for where they stand, and no other attachment's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cni_multus.cni.names import LONGEST_ID, LONGEST_NAME
from cni_multus.cni.request import Attachment
from cni_multus.marks import chain_name, comment, label, labels_start

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORKS = ["net", "n" * 64, "n" * 65, "n" * LONGEST_NAME, "n" * (LONGEST_NAME - 1) + "m"]
CONTAINERS = ["c0ffee", "0123456789abcdef" * 4, "c" * LONGEST_ID, "c" * (LONGEST_ID - 1) + "d"]
INTERFACES = ["eth0", "net1", "i" * 15]

ALL = [Attachment(*key) for network in NETWORKS for key in ((network, c, i) for c in CONTAINERS for i in INTERFACES)]


@pytest.mark.parametrize(("mark", "longest"), [(label, 254), (comment, 127), (chain_name, 255)])
def test_a_mark_fits_and_is_one_attachments_own(mark: Callable[[Attachment], str], longest: int) -> None:
    marks = [mark(attachment) for attachment in ALL]
    assert len(set(marks)) == len(marks)
    assert max(map(len, marks)) <= longest


@pytest.mark.parametrize("network", NETWORKS)
def test_the_marks_of_a_network_start_alike_and_no_others_do(network: str) -> None:
    for attachment in ALL:
        for mark in (label(attachment), comment(attachment)):
            assert mark.startswith(labels_start(network)) == (attachment.network == network)
