"""iptables' filter table: the same rules in the same chains as the Go plugin's, with a comment that tells whose.

    -A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
    -A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
    -A CNI-FORWARD -d 10.1.2.3/32 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "multus:…" -j ACCEPT
    -A CNI-FORWARD -s 10.1.2.3/32 -m comment --comment "multus:…" -j ACCEPT

The chains stay after the last attachment: operators have rules in them.
"""

from __future__ import annotations

from cni_multus.cni.addressing import BITS
from cni_multus.iptables import change, may_have, quoted, read_rules, read_table, split
from cni_multus.marks import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Attachment
    from cni_multus.iptables import Rule
    from cni_multus.linux.netns import Namespace

_TABLE = "filter"
_BASE, _CHAIN = "FORWARD", "CNI-FORWARD"
_REPLIES = "-m conntrack --ctstate RELATED,ESTABLISHED"


def allow(host: Namespace, attachment: Attachment, ips: list[Ip], admin_chain: str) -> None:
    """One change for each family; what is there already is not made twice."""
    for family, own in _by_family(ips):
        chains, rules = read_table(host, family, _TABLE)
        shown = [(rule.chain, rule.words) for rule in rules]
        lines = [f":{chain} - [0:0]" for chain in (_CHAIN, admin_chain) if chain not in chains]
        for chain, text in _ways(admin_chain):
            if (chain, split(text)) not in shown:
                lines.append(f"-I {chain} 1 {text}")
        lines += [f"-A {_CHAIN} {text}" for text in _wanted(attachment, own) if (_CHAIN, split(text)) not in shown]
        if lines:
            change(host, family, _TABLE, lines, f"cannot let {', '.join(map(str, own))} through")


def revoke(host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
    """Remove the attachment's rules."""
    whose = label(attachment)
    for family, _ in _by_family(ips):
        _remove(host, family, lambda rule: rule.option("--comment") == whose)


def revoke_unrecorded(host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
    """Remove the attachment's rules, and those that the Go plugin made for these addresses: they have no comment."""
    whose = label(attachment)
    plain = [split(text) for ip in ips for text in _plain(ip)]
    for family in BITS:
        _remove(host, family, lambda rule: rule.option("--comment") == whose or rule.words in plain)


def collect(host: Namespace, is_stale: Callable[[str], bool]) -> None:
    """Remove the rules whose comments are those of stale attachments."""
    for family in BITS:
        _remove(host, family, lambda rule: is_stale(rule.option("--comment")))


def not_allowed(host: Namespace, attachment: Attachment, ips: list[Ip], admin_chain: str) -> list[str]:
    """What is missing of `allow`."""
    wrong = []
    for family, own in _by_family(ips):
        shown = [(rule.chain, rule.words) for rule in read_rules(host, family, _TABLE)]
        wanted = [*_ways(admin_chain), *[(_CHAIN, text) for text in _wanted(attachment, own)]]
        wrong += [
            f"the rule {text!r} is missing in chain {chain} of iptables' {_TABLE} table"
            for chain, text in wanted
            if (chain, split(text)) not in shown
        ]
    return wrong


def _by_family(ips: list[Ip]) -> list[tuple[int, list[Ip]]]:
    grouped = [(family, [ip for ip in ips if ip.family == family]) for family in BITS]
    return [(family, own) for family, own in grouped if own]


def _ways(admin_chain: str) -> list[tuple[str, str]]:
    """How a packet gets to our rules, and first to the operator's."""
    return [
        (_BASE, f'-m comment --comment "CNI firewall plugin rules" -j {_CHAIN}'),
        (_CHAIN, f'-m comment --comment "CNI firewall plugin admin overrides" -j {admin_chain}'),
    ]


def _wanted(attachment: Attachment, ips: list[Ip]) -> list[str]:
    whose = f"-m comment --comment {quoted(label(attachment))} -j ACCEPT"
    return [text.replace("-j ACCEPT", whose) for ip in ips for text in _plain(ip)]


def _plain(ip: Ip) -> tuple[str, str]:
    address = f"{ip}/{BITS[ip.family]}"
    return f"-d {address} {_REPLIES} -j ACCEPT", f"-s {address} -j ACCEPT"


def _remove(host: Namespace, family: int, unwanted: Callable[[Rule], bool]) -> None:
    if not may_have(host, family, _TABLE, _CHAIN):
        return
    rules = [rule for rule in read_rules(host, family, _TABLE) if rule.chain == _CHAIN and unwanted(rule)]
    if rules:
        change(
            host, family, _TABLE, [f"-D {_CHAIN} {rule.text}" for rule in rules], "cannot remove what lets pods through"
        )
