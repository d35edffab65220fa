"""The node's configuration as its operator wants it: from the primary, or from a file; made, and published once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cni_multus.cni.errors import InvalidNetworkConfig
from cni_multus.node import aside
from cni_multus.node.generate import Options, generate, verbatim
from cni_multus.node.primary import NoPrimary, Primary, find_primary, read_primary
from cni_multus.node.publish import own_files, publish
from cni_multus.node.root import resolved, under
from cni_multus.state import files

if TYPE_CHECKING:
    from cni_multus.node.generate import Document
    from cni_multus.node.publish import Published

AUTO = "auto"


@dataclass(frozen=True)
class Configuration:
    """Where things are, all of them the node's paths, and what is to stand in the file."""

    conf_dir: str
    primary_dir: str
    primary_file: str = ""
    """The primary's file in `primary_dir`; the first one where this is empty."""
    conf_file: str = AUTO
    """`auto`, or the file that is published as it is."""
    rename: bool = False
    """Whether the primary's file is to have another name."""
    force: bool = False
    """Whether what was edited, or is another meta-plugin's, is replaced."""
    options: Options = field(default_factory=Options)
    renamed: tuple[str, ...] = ()
    """Names that files of primaries are known to have lost, whatever became of the file of ours that says so."""


@dataclass(frozen=True)
class Plan:
    """What is to be published, and of which primary it was made."""

    document: Document
    primary: Primary | None = None
    renamed: str = ""
    """The name that the primary's file loses."""
    back: tuple[str, ...] = ()
    """The names that files get back which had lost them before."""


def plan(root: str, configuration: Configuration) -> Plan:
    """Make the configuration, and change nothing; raises a CniError, NoPrimary where it is to be waited for."""
    renamed = _renamed_before(root, configuration)
    double = aside.with_both_names(resolved(root, configuration.primary_dir)) | ({renamed} if renamed else set())
    if configuration.conf_file != AUTO:
        return Plan(_operators(root, configuration.conf_file), back=tuple(sorted(double)))
    options, file = configuration.options, configuration.primary_file
    try:
        primary = find_primary(root, configuration.primary_dir, file, until=renamed)
    except NoPrimary:
        if not renamed or file not in ("", renamed):
            raise
        return _of_renamed(root, configuration, renamed)
    if not configuration.rename:
        return Plan(generate(options, primary), primary, back=tuple(sorted(double)))
    moved = replace(primary, path=primary.path + aside.SUFFIX)
    back = tuple(sorted(double - {primary.file}))
    return Plan(generate(options, moved, primary.file), primary, primary.file, back)


def carry_out(root: str, configuration: Configuration, planned: Plan, *, revive: bool = False) -> Published:
    """Publish it; a primary that is renamed, or gets its name back, has both names until that is done."""
    directory = resolved(root, configuration.primary_dir)
    if planned.renamed:
        ours = _renamed_before(root, configuration) == planned.renamed
        aside.add_name(directory, planned.renamed, ours=ours)
    for name in planned.back:
        aside.add_first_name(directory, name)
    done = publish(root, configuration.conf_dir, planned.document, force=configuration.force, revive=revive)
    if planned.renamed:
        aside.drop_name(directory, planned.renamed)
    for name in planned.back:
        aside.drop_second_name(directory, name)
    return done


def configure(root: str, configuration: Configuration, *, revive: bool = False) -> Published:
    """Make the configuration and publish it."""
    return carry_out(root, configuration, plan(root, configuration), revive=revive)


def _of_renamed(root: str, configuration: Configuration, renamed: str) -> Plan:
    """Of the primary's file that we have renamed: it stays so, or it gets its name back."""
    path = os.path.join(configuration.primary_dir, renamed)
    primary = read_primary(root, path + aside.SUFFIX)
    if configuration.rename:
        return Plan(generate(configuration.options, primary, renamed), primary)
    primary = replace(primary, path=path)
    return Plan(generate(configuration.options, primary), primary, back=(renamed,))


def _operators(root: str, path: str) -> Document:
    data = files.read(resolved(root, path), follow=True)
    if data is None:
        raise InvalidNetworkConfig(f"--multus-conf-file: there is no file {path}")
    return verbatim(path, data)


def _renamed_before(root: str, configuration: Configuration) -> str:
    """The former name of the primary that our file on the node names, or that is known to have been renamed."""
    directory = configuration.primary_dir
    for mark in own_files(resolved(root, configuration.conf_dir)).values():
        old = os.path.join(directory, mark.renamed + aside.SUFFIX)
        if aside.is_plain(mark.renamed) and mark.source == old and os.path.lexists(under(root, old)):
            return mark.renamed
    for name in configuration.renamed:
        first, second = (under(root, os.path.join(directory, each)) for each in (name, name + aside.SUFFIX))
        if os.path.lexists(second) and not os.path.lexists(first):
            return name
    return ""
