"""Source based routing: what an attachment has of it, on record and in the kernel, and how it is taken back."""

from __future__ import annotations

import errno

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.linux.addresses import list_addresses, written
from cni_multus.linux.links import find_link
from cni_multus.linux.routes import list_routes
from cni_multus.linux.routetables import (
    GONE,
    IMPOSSIBLE,
    OF_THE_KERNEL,
    add_routes,
    missing,
    namespace_mark,
    remove_routes,
    route_from_json,
    route_to_json,
    send_each,
)
from cni_multus.linux.rules import Rule, add_rule_message, list_rules, remove_rule_message
from cni_multus.undo import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cni_multus.cni.addressing import Ip
    from cni_multus.linux.netns import Namespace
    from cni_multus.linux.routes import Route
    from cni_multus.linux.routetables import Messages

ABSENT = (*GONE, errno.EAFNOSUPPORT)


class Routing:
    """Rules, routes in tables of their own, and what was `moved` there from the main table; by the link `index`."""

    __slots__ = ("index", "moved", "routes", "rules")

    def __init__(
        self,
        index: int,
        rules: list[Rule] | None = None,
        routes: list[Route] | None = None,
        moved: list[Route] | None = None,
    ) -> None:
        self.index = index
        self.rules = rules or []
        self.routes = routes or []
        self.moved = moved or []

    @staticmethod
    def parse(document: dict[str, object], container: Namespace) -> Routing | None:
        """The way back from `to_json`; None where it is about another namespace, or is not what that wrote."""
        section = Section(document)
        try:
            if section.text("netns") != namespace_mark(container):
                return None
            return Routing(
                section.number("index"),
                [_rule(rule) for rule in section.sections("rules")],
                [route_from_json(route) for route in section.sections("routes")],
                [route_from_json(route) for route in section.sections("moved")],
            )
        except CniError:
            return None

    def to_json(self, container: Namespace) -> dict[str, object]:
        """As it is written down: of this namespace, and no other that may be at its path later."""
        return {
            "netns": namespace_mark(container),
            "path": container.path,
            "index": self.index,
            "rules": [_rule_to_json(rule) for rule in self.rules],
            "routes": [route_to_json(route) for route in self.routes],
            "moved": [route_to_json(route) for route in self.moved],
        }


def add_rules(rules: Iterable[Rule]) -> Messages:
    """The messages that add rules."""
    return [(add_rule_message(rule), f"cannot add the rule {rule}") for rule in rules]


def remove_rules(rules: Iterable[Rule]) -> Messages:
    """The messages that remove exactly these rules."""
    return [(remove_rule_message(rule), f"cannot remove the rule {rule}") for rule in rules]


def take_back(container: Namespace, ifname: str, had: Routing) -> None:
    """Remove what an attachment has; its routes are in the main table again if its link still lives.

    A route whose address or gateway the link has lost meanwhile is not missed.
    """
    link = find_link(container, ifname)
    lives = link is not None and link.index == had.index
    back = add_routes(had.moved, had.index, ifname) if lives else []
    routes = remove_routes(had.routes, had.index, ifname) if lives else []
    steps = ((back, IMPOSSIBLE), (remove_rules(had.rules), ABSENT), (routes, ABSENT))
    do_all(lambda step: send_each(container, *step), steps)


def take_back_unrecorded(container: Namespace, ifname: str, told: Iterable[Ip], table: int) -> None:
    """Remove the rules of the interface's addresses, as the reference does; of one table only where one is given.

    Nobody wrote down whose they are: what comes from an address that another link has stays.
    """
    link = find_link(container, ifname)
    shown = list_addresses(container)
    own = {address.packed for address in shown if link is not None and address.index == link.index}
    others = {address.packed for address in shown if link is None or address.index != link.index}
    sources = (own | {ip.packed for ip in told}) - others
    stale = [
        rule
        for rule in list_rules(container)
        if rule.by_source
        and rule.source in sources
        and rule.prefix == len(rule.source) * 8
        and (rule.table == table if table else rule.table not in OF_THE_KERNEL)
    ]
    send_each(container, remove_rules(stale), ABSENT)


def routing_differences(container: Namespace, had: Routing, addresses: Iterable[Ip]) -> list[str]:
    """What of the record, or which address's rule, the kernel does not show."""
    shown = {rule.key for rule in list_rules(container)}
    recorded = {rule.source for rule in had.rules}
    wrong = [f"there is no rule for {ip}" for ip in addresses if ip.packed not in recorded]
    wrong += [f"the rule {rule} is missing" for rule in had.rules if rule.key not in shown]
    routes = list_routes(container, index=had.index) if had.routes else []
    return wrong + [f"route {route} is missing in table {route.table}" for route in missing(had.routes, routes)]


def unrecorded_differences(container: Namespace, addresses: Iterable[Ip], table: int) -> list[str]:
    """Which of the addresses has no rule at all, where another program attached the interface."""
    ruled = {rule.source for rule in list_rules(container) if rule.by_source and table in (0, rule.table)}
    return [f"there is no rule for {ip}" for ip in addresses if ip.packed not in ruled]


def _rule(section: Section) -> Rule:
    source = section.ip("from")
    if source is None:
        raise section.wrong("from", "it is missing")
    return Rule.of(source.packed, section.number("table"), section.number("priority"))


def _rule_to_json(rule: Rule) -> dict[str, object]:
    return {"from": written(rule.source), "table": rule.table, "priority": rule.priority}
