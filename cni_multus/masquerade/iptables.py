"""ipMasq by iptables: a chain for each attachment, as the Go plugins have one for each container.

    -A POSTROUTING -s 10.1.2.5/32 -m comment --comment "multus:net:c1:eth0" -j MULTUS-4dbd4cfd43ac67ff63d4a
    -A MULTUS-4dbd4cfd43ac67ff63d4a -d 10.1.2.0/24 -m comment --comment "multus:net:c1:eth0" -j ACCEPT
    -A MULTUS-4dbd4cfd43ac67ff63d4a ! -d 224.0.0.0/4 -m comment --comment "multus:net:c1:eth0" -j MASQUERADE

Which chain is whose stands in the comments.
"""

from __future__ import annotations

from cni_multus.cni.addressing import BITS, Cidr
from cni_multus.cni.errors import NetlinkFailure
from cni_multus.cni.request import Attachment
from cni_multus.hashes import digest
from cni_multus.iptables import change, may_have, may_have_some, quoted, read_rules, split
from cni_multus.linux.exclusion import Exclusion
from cni_multus.marks import label, labels_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_multus.iptables import Rule
    from cni_multus.linux.netns import Namespace
    from cni_multus.undo import Undo

FAMILIES = (4, 6)
TABLE = "nat"
_BASE = "POSTROUTING"
OURS, OF_OTHERS = "MULTUS-", "CNI-"
_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
_LONGEST_CHAIN = 28


def add(host: Namespace, attachment: Attachment, addresses: list[Cidr], undo: Undo) -> None:
    """One change for each family: the attachment's chain, and the rules that lead there from its addresses."""
    for family in sorted({each.family for each in addresses}):
        own = [each for each in addresses if each.family == family]
        with Exclusion(host, "masquerade"):
            taken = _add(host, attachment, family, own)
        undo.callback(_take_back, host, attachment, family, taken)


def remove(host: Namespace, attachment: Attachment) -> None:
    """Remove the attachment's chains, and what leads there."""
    remove_chain(host, _chain(attachment))


def remove_chain(host: Namespace, chain: str) -> None:
    """Remove a chain of either family, and what leads there; it need not be there."""
    for family in FAMILIES:
        if may_have(host, family, TABLE, chain):
            with Exclusion(host, "masquerade"):
                _remove(host, family, lambda name, _: name == chain)


def collect(host: Namespace, network: str, valid: set[tuple[str, str]]) -> None:
    """Remove the chains of a network whose attachments are not valid."""
    told = {label(Attachment(network, *each)) for each in valid}
    start = labels_start(network)
    for family in FAMILIES:
        if may_have_some(host, family, TABLE, OURS):
            with Exclusion(host, "masquerade"):
                _remove(host, family, lambda _, whose: whose.startswith(start) and whose not in told)


def differences(host: Namespace, attachment: Attachment, addresses: list[Cidr]) -> list[str]:
    """What is missing of the chains, and of what leads there."""
    wrong = []
    for family in sorted({each.family for each in addresses}):
        own = [each for each in addresses if each.family == family]
        shown = [(rule.chain, rule.words) for rule in read_rules(host, family, TABLE)]
        for chain, text in _wanted(attachment, family, own):
            if (chain, split(text)) not in shown:
                wrong.append(f"the rule {text!r} is missing in chain {chain} of iptables' {TABLE} table")
    return wrong


def _chain(attachment: Attachment) -> str:
    parts = (attachment.network, attachment.container_id, attachment.ifname)
    return OURS + digest("\0".join(parts), _LONGEST_CHAIN - len(OURS))


def _wanted(attachment: Attachment, family: int, addresses: list[Cidr]) -> list[tuple[str, str]]:
    """The rules of an attachment, as (chain, text)."""
    chain = _chain(attachment)
    whose = f"-m comment --comment {quoted(label(attachment))}"
    networks = dict.fromkeys(each.network for each in addresses)
    rules = [(chain, f"-d {each} {whose} -j ACCEPT") for each in networks]
    rules.append((chain, f"! -d {_MULTICAST[family]} {whose} -j MASQUERADE"))
    return rules + [(_BASE, f"-s {each.ip}/{BITS[family]} {whose} -j {chain}") for each in addresses]


def _add(host: Namespace, attachment: Attachment, family: int, addresses: list[Cidr]) -> list[str]:
    """Returns what was taken from others: the rules of older owners of the addresses, who are not detached yet."""
    chain = _chain(attachment)
    sources = {f"{each.ip}/{BITS[family]}" for each in addresses}
    rules = [f"-A {where} {text}" for where, text in _wanted(attachment, family, addresses)]
    attempt = f"cannot masquerade {', '.join(sorted(sources))}"
    older = [
        rule
        for rule in read_rules(host, family, TABLE)
        if rule.chain == _BASE and (rule.option("-s") in sources or rule.option("-j") == chain) and _is_masquerade(rule)
    ]
    gone = [f"-D {_BASE} {rule.text}" for rule in older]
    change(host, family, TABLE, [f":{chain} - [0:0]", *gone, *rules], attempt)
    return [rule.text for rule in older if rule.option("-j") != chain]


def _is_masquerade(rule: Rule) -> bool:
    return rule.option("-j").startswith((OURS, OF_OTHERS))


def _remove(host: Namespace, family: int, unwanted: Callable[[str, str], bool]) -> None:
    """Remove the chains that are `unwanted`, told their names and comments, and what leads there."""
    rules = read_rules(host, family, TABLE)
    chains = {
        rule.chain
        for rule in rules
        if rule.chain.startswith((OURS, OF_OTHERS)) and unwanted(rule.chain, rule.option("--comment"))
    }
    if chains:
        lines = [f"-D {rule.chain} {rule.text}" for rule in rules if rule.option("-j") in chains]
        lines += [line for chain in sorted(chains) for line in (f"-F {chain}", f"-X {chain}")]
        change(host, family, TABLE, lines, f"cannot remove chains {', '.join(sorted(chains))}")


def _take_back(host: Namespace, attachment: Attachment, family: int, taken: list[str]) -> None:
    chain = _chain(attachment)
    with Exclusion(host, "masquerade"):
        _remove(host, family, lambda name, _: name == chain)
        for text in taken:
            try:
                change(host, family, TABLE, [f"-A {_BASE} {text}"], f"cannot put back {text!r}")
            except NetlinkFailure:
                continue  # its owner was detached meanwhile
