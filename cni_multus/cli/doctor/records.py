"""Where this node keeps records: directories of state, and the places that have addresses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.uses import text
from cni_multus.cli.ipam.options import FILE, HOST_LOCAL_ENGINE, STATIC_ENGINE

if TYPE_CHECKING:
    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.ipam.held import Place

_ENGINES = {"host-local": HOST_LOCAL_ENGINE, "static": STATIC_ENGINE, "whereabouts": FILE}


def data_dirs(patient: Patient) -> dict[str, set[str]]:
    """The directories of each engine: the command line's, and those that networks name."""
    arguments = patient.arguments
    found: dict[str, set[str]] = {
        FILE: {arguments.data_dir},
        HOST_LOCAL_ENGINE: {arguments.host_local_dir},
        STATIC_ENGINE: {arguments.static_dir},
    }
    for use in patient.uses:
        engine, directory = _ENGINES.get(text(use.ipam, "type")), text(use.ipam, "dataDir")
        if engine and directory.startswith("/"):
            found[engine].add(directory)
    return {engine: {patient.site.path(path) for path in paths} for engine, paths in found.items()}


def places(patient: Patient) -> list[Place]:
    """Those of this node; the cluster's own are `multus ipam`'s business."""
    from cni_multus.cli.ipam.hostlocal import Directory
    from cni_multus.cli.ipam.nodestore import NodeStore
    from cni_multus.cli.ipam.ranges import KnownRanges

    site, found = patient.site, data_dirs(patient)
    ranges = KnownRanges(site.conf_dir, site.cni_dir, site.results_dir)
    made: list[Place] = [NodeStore(path, ranges) for path in sorted(found[FILE]) if os.path.isdir(path)]
    for engine in (HOST_LOCAL_ENGINE, STATIC_ENGINE):
        made += [Directory(engine, path, ranges) for path in sorted(found[engine]) if os.path.isdir(path)]
    return made


def directories(patient: Patient) -> dict[str, str]:
    """Directories of state that are there: the path, and what for."""
    site = patient.site
    wanted = {site.cni_dir: "the journal", site.path("/run/multus"): "state until the next boot"}
    wanted |= {path: f"addresses ({engine})" for engine, paths in data_dirs(patient).items() for path in paths}
    wanted[site.conf_dir] = "configurations"
    wanted[site.bin_dir] = "programs"
    return {path: what for path, what in wanted.items() if os.path.isdir(path)}
