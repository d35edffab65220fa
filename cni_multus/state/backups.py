"""What a plugin found before it changed it: a file for each attachment, gone with the boot as the attachments are.

    <directory>/<containerID>_<ifname>.json     one JSON object, with `network`, `containerID` and `ifname` of its owner

The name and the form are those of the Go tuning plugin, whose files do not name their owner.
"""

from __future__ import annotations

from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object, print_compact
from cni_multus.cni.errors import CniError, DecodingFailure
from cni_multus.cni.request import Attachment
from cni_multus.state import files
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

_SUFFIX = ".json"


class Backups:
    """The files of one plugin below `directory`, which is made when the first is written."""

    __slots__ = ("_directory",)

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def read(self, attachment: Attachment) -> dict[str, object] | None:
        """What was written for an attachment; None where nothing was, or where it cannot be read any more."""
        return self._read(_name(attachment))

    def write(self, attachment: Attachment, document: dict[str, object]) -> None:
        """Keep `document`, in the place of what was kept before."""
        files.make_directory(self._directory, 0o700)
        owner = {
            "network": attachment.network,
            "containerID": attachment.container_id,
            "ifname": attachment.ifname,
        }
        data = print_compact({**document, **owner})
        files.write_atomically(self._path(attachment), data, temporary=self._temporary(attachment))

    def remove(self, attachment: Attachment) -> None:
        """Forget an attachment, also what was begun to be written; succeeds where nothing is known of it."""
        files.remove(self._path(attachment))
        files.remove(self._temporary(attachment))

    def forget(self, attachment: Attachment) -> None:
        """The same, unless another network's is on record: the file's name has no network in it."""
        document = self.read(attachment)
        if document is None or document.get("network", attachment.network) == attachment.network:
            self.remove(attachment)

    def of_network(self, network: str) -> list[tuple[Attachment, dict[str, object]]]:
        """Every attachment of a network, with what was written for it."""
        return [each for each in self.every() if each[0].network == network]

    def collect(
        self,
        network: str,
        valid: Container[tuple[str, str]],
        take_back: Callable[[Attachment, dict[str, object]], object],
    ) -> None:
        """Take back what attachments of a network that are not `valid` have, all that can be, and forget those."""

        def end(kept: tuple[Attachment, dict[str, object]]) -> None:
            take_back(*kept)
            self.remove(kept[0])

        kept = self.of_network(network)
        do_all(end, [each for each in kept if (each[0].container_id, each[0].ifname) not in valid])

    def every(self) -> list[tuple[Attachment, dict[str, object]]]:
        """Every attachment that names its network, in a file of its own name, with what was written for it."""
        found = []
        for name in sorted(files.names(self._directory)):
            document = self._read(name) if name.endswith(_SUFFIX) and not name.startswith(files.TEMPORARY) else None
            if document is None or not document.get("network"):
                continue
            owner = Section(document, name)
            try:
                key = Attachment(owner.text("network"), owner.text("containerID"), owner.text("ifname"))
            except CniError:
                continue
            if name == _name(key):  # else what it says of its owner would lead to another file
                found.append((key, document))
        return found

    def _read(self, name: str) -> dict[str, object] | None:
        data = files.read(f"{self._directory}/{name}")
        try:
            return None if data is None else parse_object(data, name)
        except DecodingFailure:
            return None

    def _temporary(self, attachment: Attachment) -> str:
        return f"{self._directory}/{files.TEMPORARY}{attachment.container_id}_{attachment.ifname}"

    def _path(self, attachment: Attachment) -> str:
        return f"{self._directory}/{_name(attachment)}"


def _name(attachment: Attachment) -> str:
    return f"{attachment.container_id}_{attachment.ifname}{_SUFFIX}"
