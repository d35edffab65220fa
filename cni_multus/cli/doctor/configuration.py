"""Which configuration the runtime takes, whether that is ours, and whether ours can be used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import CRITICAL, ERROR, WARNING, Check, Finding
from cni_multus.cli.doctor.uses import primary_file, text
from cni_multus.cni.errors import CniError
from cni_multus.confdir import LISTS, PLUGINS
from cni_multus.node.marker import EDITED, MARKER, UNINSTALLING, read_mark
from cni_multus.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.site import ConfFile

_NO_NETWORKS = "pods start with the primary's network alone: their annotations are ignored, without a word"


def missing(patient: Patient) -> Iterator[Finding]:
    """No file calls us."""
    directory = patient.site.conf_dir
    if patient.ours is not None or any(file.trouble for file in patient.files):
        return  # one that cannot be read may be ours
    names = ", ".join(os.path.basename(file.path) for file in patient.files)
    yield Finding(
        CRITICAL,
        f"no configuration in {directory} has the type multus",
        [f"ls {directory}: {names}" if names else f"ls {directory}: nothing that ends in {', '.join(LISTS + PLUGINS)}"],
        _NO_NETWORKS if names else "no pod starts: the runtime says that the network is not ready",
        "install it: `multus install`; if that was done, the node's watch writes it: look at its log",
    )


def hidden(patient: Patient) -> Iterator[Finding]:
    """Another file comes first."""
    ours = patient.ours
    if ours is None or patient.files[0] is ours or patient.files[0].trouble:
        return
    first = patient.files[0]
    yield Finding(
        CRITICAL,
        f"{first.path} hides {ours.path}: runtimes take the first file by name",
        [
            f"order in {patient.site.conf_dir}: {', '.join(os.path.basename(file.path) for file in patient.files)}",
            f"{os.path.basename(first.path)} has the types {', '.join(first.types) or 'of nothing'}",
        ],
        _NO_NETWORKS,
        f"move {first.path} out of the directory, or let its name come after {os.path.basename(ours.path)}",
    )


def broken(patient: Patient) -> Iterator[Finding]:
    """A file that is not JSON."""
    ours = patient.ours
    for at, file in enumerate(patient.files):
        if file.trouble:
            decides = at == 0 or ours is None
            yield Finding(
                CRITICAL if decides else WARNING,
                f"{file.path} cannot be read as a configuration: {file.trouble}",
                [f"head -c 300 {file.path}", *([] if ours else ["no other file has the type multus"])],
                "no pod starts, or it gets another network: runtimes stop at it, or pass over it"
                if decides
                else "nothing as long as it comes after the configuration of multus",
                f"correct {file.path}, or move it out of the directory; `multus node watch` writes its own anew",
            )


def several(patient: Patient) -> Iterator[Finding]:
    """More than one configuration is ours."""
    mine = [file for file in patient.files if "multus" in file.types]
    if len(mine) > 1:
        names = ", ".join(os.path.basename(file.path) for file in mine)
        yield Finding(
            ERROR,
            f"{len(mine)} files in {patient.site.conf_dir} configure multus: {names}",
            [f"the runtime takes {mine[0].path}; the others are never read"],
            "changes to the others do nothing; a DEL may see another configuration than the ADD had",
            f"keep {mine[0].path} and move the rest away, or the reverse",
        )


def settings(patient: Patient) -> Iterator[Finding]:
    """A key of ours has a value that every request refuses."""
    error = refusal(patient)
    if error is not None and patient.ours is not None:
        yield Finding(
            CRITICAL,
            error.message,
            [f"every ADD ends with code {error.code}", *([error.details] if error.details else [])],
            "no pod starts on this node",
            f"correct {patient.ours.path}; where `multus node watch` wrote it, correct the watch's arguments",
        )


def refusal(patient: Patient) -> CniError | None:
    """Why our configuration cannot be used; None where it can."""
    from cni_multus.node.generate import verify

    ours = patient.ours
    if ours is None or ours.document is None:
        return None
    try:
        verify(ours.document.raw, ours.path)
    except CniError as error:
        return error
    return None


def networks(patient: Patient) -> Iterator[Finding]:
    """A file of networks that pods ask for by name cannot be read."""
    from cni_multus.cli.site import conf_files

    directory = patient.site.path(patient.site.settings.conf_dir)
    if directory == patient.site.conf_dir or not os.path.isdir(directory):
        return
    for file in conf_files(directory):
        if file.trouble:
            yield Finding(
                ERROR,
                f"{file.path} defines no network: {file.trouble}",
                [f"head -c 300 {file.path}"],
                "pods that ask for its network do not start",
                f"correct {file.path}; `multus lint {file.path}` says more",
            )


def definitions(patient: Patient) -> Iterator[Finding]:
    """A definition from which no network follows."""
    for one in patient.defined:
        if one.trouble:
            yield Finding(
                ERROR,
                one.trouble if one.label in one.trouble else f"definition {one.label}: {one.trouble}",
                [f"it is in {one.where}"],
                "pods that ask for it do not start",
                "correct it; `multus lint` says where, before it is applied",
            )


def edited(patient: Patient) -> Iterator[Finding]:
    """What was generated was changed, or is on its way out."""
    ours = patient.ours
    data = files.read(ours.path, follow=True) if ours else None
    if ours is None or data is None:
        return
    mark = read_mark(data)
    if mark.uninstalling:
        yield Finding(
            WARNING,
            f"{ours.path} passes through to the primary: `multus uninstall` is waiting for the last pods",
            [f'"{UNINSTALLING}" stands in it', f"{len(patient.node.known)} sandboxes are on record"],
            "new pods get no networks besides the primary's",
            "let it end, or `multus install` to have it back",
        )
    elif mark.owner == EDITED:
        yield Finding(
            WARNING,
            f"{ours.path} was generated, and changed by somebody since",
            [f'its content does not match the checksum in "{MARKER}"'],
            "`multus node watch` leaves it as it is: what the primary changes is not followed any more",
            "say it by arguments of the watch (--multus-conf-key), and remove the file: it is written anew",
        )


def primary(patient: Patient) -> Iterator[Finding]:
    """The primary that our configuration names is not there, or not the one that the node has."""
    path, ours = primary_file(patient), patient.ours
    if ours is None or not path:
        return
    if not os.path.exists(path):
        yield Finding(
            CRITICAL,
            f"the primary's configuration {path} is gone, which {os.path.basename(ours.path)} names",
            [f"ls -l {path}: no such file", _others(patient, ours)],
            "no pod starts: each ADD names that file, and is tried again",
            "see what became of the primary CNI (its DaemonSet); the watch follows it as soon as it is back",
        )
        return
    try:
        data = files.read(path, follow=True) or b""
    except CniError as error:
        yield _unusable(path, error)
        return
    try:
        from cni_multus.cni.config import Section
        from cni_multus.cni.document import parse_object
        from cni_multus.confdir import complete
        from cni_multus.network import Network

        Network(complete(Section(parse_object(data, path)), os.path.dirname(path)))
    except CniError as error:
        yield _unusable(path, error)


def _unusable(path: str, error: CniError) -> Finding:
    return Finding(
        CRITICAL,
        f"the primary's configuration {path} cannot be used: {error.message}",
        [f"head -c 300 {path}"],
        "no pod starts on this node",
        "correct it, or let the primary CNI write it anew (restart its pod)",
    )


def _others(patient: Patient, ours: ConfFile) -> str:
    names = [os.path.basename(file.path) for file in patient.files if file is not ours]
    return f"besides there are {', '.join(names)}" if names else "there is no other configuration"


def readiness(patient: Patient) -> Iterator[Finding]:
    """The file that the primary is to be ready by is missing."""
    path = patient.site.settings.readiness_file
    if patient.ours and path and not os.path.exists(patient.site.path(path)):
        yield Finding(
            CRITICAL,
            f"the primary is not ready: its readinessindicatorfile {path} is not there",
            [f"ls -l {path}: no such file", f"{text(patient.site.config, 'name') or patient.ours.path} waits for it"],
            "no pod starts: ADD ends with code 11 until the file is there",
            "see what became of the primary CNI (its pod on this node)",
        )


CHECKS = (
    Check("conf-missing", "a configuration of multus is there", missing),
    Check("conf-broken", "every configuration that the runtime reads is JSON", broken),
    Check("conf-hidden", "no other file comes before ours", hidden),
    Check("conf-settings", "our configuration can be used: keys, values, cniVersion", settings),
    Check("conf-primary", "the primary that it names is there", primary),
    Check("conf-readiness", "the primary says that it is ready", readiness),
    Check("conf-several", "only one file configures multus", several),
    Check("conf-networks", "networks in confDir can be read", networks),
    Check("definition-wrong", "every definition of a network can be read", definitions),
    Check("conf-edited", "what was generated is as it was generated", edited),
)
