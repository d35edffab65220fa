"""Whether this node's pods were attached by the Go Multus before, and what follows for names.

A definition whose configuration has no name is the network `<namespace>_<name>`, and was `<name>` with the Go Multus.
Under that name host-local has the addresses of pods that still run; so on such a node it keeps it, for pods of ours
too: nothing has to be copied, and no address can be given twice, whoever attaches at the same moment.
"""

from __future__ import annotations

import os

from cni_multus.state.files import is_directory


def go_multus_attached_here(cni_dir: str) -> bool:
    """Whether it has: its libcni keeps a cache there, and nobody ever removes the directory."""
    return is_directory(os.path.join(cni_dir, "results"))
