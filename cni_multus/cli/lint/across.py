"""What only shows when documents are held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.kinds import Reader
    from cni_multus.cli.lint.network import Seen
    from cni_multus.cli.lint.pods import Selected
    from cni_multus.cli.lint.sense import Span


def compare(report: Report, reader: Reader) -> None:
    """Hold everything that was seen against everything else, each in one pass."""
    seen = reader.networks.seen
    _ranges(report, seen)
    _names(report, seen)
    _vlans(report, seen)
    _sizes(report, seen)
    _default_routes(report, seen)
    by_label = {one.label: one for one in seen}
    for pod in reader.pods.pods:
        for one in pod:
            _selection(report, reader, one)
        _routes_of_pod(report, pod, by_label)
    _named(report, reader)


def _ranges(report: Report, seen: list[Seen]) -> None:
    spans = sorted(
        ((span, one) for one in seen for span in one.spans), key=lambda each: (each[0].family, each[0].first)
    )
    before: list[tuple[Span, Seen]] = []
    for span, one in spans:
        before = [each for each in before if each[0].family == span.family and each[0].last >= span.first][-50:]
        other = next((each for each in before if _are_strangers(each[0], span)), None)
        if other is not None:
            (known, its) = other
            line, _ = known.tree.spot()
            message = (
                f"{span.told} of network {one.label} overlaps {known.told} of {its.label} "
                f"({known.tree.text.file}:{line}): the same address may be given twice"
            )
            report.add("shared-range", span.tree, (), message)
        before.append((span, one))


def _are_strangers(one: Span, other: Span) -> bool:
    """Whether neither knows what the other has given."""
    return one.store != other.store and _place(one) != _place(other)


def _place(span: Span) -> tuple[str, int, int]:
    return (span.tree.text.file, *span.tree.spot())


def _names(report: Report, seen: list[Seen]) -> None:
    first: dict[str, Seen] = {}
    for one in seen:
        other = first.setdefault(one.name, one)
        if other is not one and other.tree.value != one.tree.value:
            line, _ = other.tree.spot()
            message = f"network {one.name} is another one in {other.tree.text.file}:{line}"
            report.add("name-twice", one.tree, (one.tree.find("name"),), message)


def _vlans(report: Report, seen: list[Seen]) -> None:
    taken: dict[tuple[str, int], Seen] = {}
    for one in seen:
        for master, number, tree in one.vlans:
            other = taken.setdefault((master, number), one)
            if other is not one and number:
                message = f"VLAN {number} of {master} is that of network {other.label} as well"
                report.add("vlan-twice", tree, (tree.find("vlanId"),), message)


def _sizes(report: Report, seen: list[Seen]) -> None:
    """A link's MTU is said where it is made, or where a VLAN of that very name is."""
    sizes: dict[str, tuple[int, str]] = {}
    for one in seen:
        for name, mtu in one.makes:
            if mtu and (name not in sizes or mtu < sizes[name][0]):
                sizes[name] = mtu, one.label
    for one in seen:
        for master, mtu, tree in one.stands_on:
            size, by = sizes.get(master, (0, ""))
            if size and mtu > size:
                message = f"mtu {mtu} is more than the {size} that network {by} gives {master}"
                report.add("mtu-over-master", tree, (tree.find("mtu"),), message)


def _default_routes(report: Report, seen: list[Seen]) -> None:
    for one in seen:
        if one.families and "/" in one.label:
            families = " and ".join(f"IPv{family}" for family in sorted(one.families))
            message = f"network {one.label} brings a default route ({families}), and a pod's primary network has one"
            report.add("default-route", one.tree, (), message)


def _selection(report: Report, reader: Reader, one: Selected) -> None:
    namespace, name = one.selection.namespace, one.selection.name
    if (namespace, name) not in reader.definitions.known and one.number:
        message = f"{namespace}/{name} is not among the definitions that were linted"
        report.add_at("unknown-network", one.file, one.place, message)
    if namespace == one.namespace or not one.number:
        return
    for conf in reader.confs:
        if conf.isolation and namespace not in conf.global_namespaces:
            message = f"namespaceIsolation is on: a pod of {one.namespace} may not use {namespace}/{name}"
            report.add_at("isolation", one.file, one.place, message)
            return
    if namespace != "default":
        message = f"{namespace}/{name} is of another namespace than the pod, {one.namespace}"
        report.add_at("other-namespace", one.file, one.place, message)


def _routes_of_pod(report: Report, pod: list[Selected], by_label: dict[str, Seen]) -> None:
    if any(one.selection.default_route for one in pod):
        return
    bringing: dict[int, str] = {}
    for one in pod:
        network = by_label.get(f"{one.selection.namespace}/{one.selection.name}")
        for family in sorted(network.families) if network else ():
            other = bringing.setdefault(family, one.selection.name)
            if other != one.selection.name:
                message = f"{other} and {one.selection.name} both bring a default route of IPv{family}"
                report.add_at("default-routes-fight", one.file, one.place, message)


def _named(report: Report, reader: Reader) -> None:
    known = {name for _, name in reader.definitions.known} | {one.name for one in reader.networks.seen}
    known |= {f"{namespace}/{name}" for namespace, name in reader.definitions.known}
    for conf in reader.confs:
        for name, steps in conf.named:
            if not name.startswith("/") and name not in known:
                message = f"network {name} is not among what was linted"
                report.add("unknown-network", conf.tree, steps, message)
