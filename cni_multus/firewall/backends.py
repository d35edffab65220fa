"""Who has to be told that a container's packets may pass: nobody but us, firewalld, or iptables."""

from __future__ import annotations

from cni_multus.cni.errors import NetlinkFailure
from cni_multus.firewall import rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.addressing import Ip
    from cni_multus.cni.request import Attachment, Request
    from cni_multus.linux.netns import Namespace

BACKENDS = ("firewalld", "iptables", "nftables")


class Backend:
    """Our own rules: where nobody else filters what is forwarded. `told` is what has to be remembered for DEL."""

    __slots__ = ("told",)

    def __init__(self, told: dict[str, str]) -> None:
        self.told = told

    @staticmethod
    def of(told: dict[str, str], request: Request) -> Backend:
        """The backend that was told, by what is remembered of it."""
        kind = told.get("backend")
        if kind == "firewalld":
            return OfFirewalld(told, request)
        if kind == "iptables":
            return OfIptables(told, request)
        return Backend(told)

    def allow(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
        """Let packets from and to the addresses through; once more does no harm."""
        rules.allow(host, attachment, ips)

    def revoke(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
        """Take it back, as far as it is there."""
        rules.revoke(host, attachment, ips)

    def differences(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> list[str]:
        """What is not as `allow` left it."""
        wrong = rules.not_allowed(host, attachment, ips)
        if who := who_else_filters(host):
            wrong.append(f"{who} filters what the node forwards by now, and was not told")
        return wrong

    def probe(self, host: Namespace) -> None:
        """Raise where `allow` would fail."""
        rules.TABLE.exists(host)


class OfFirewalld(Backend):
    """firewalld: each address is a source of a zone."""

    __slots__ = ("_environment", "_zone")

    def __init__(self, told: dict[str, str], request: Request) -> None:
        super().__init__(told)
        self._environment = request.environment
        self._zone = told.get("zone", "trusted")

    def allow(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
        from cni_multus.firewall.firewalld import Firewalld

        with Firewalld(self._environment) as firewalld:
            for ip in ips:
                firewalld.trust(self._zone, _source(ip))

    def revoke(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
        from cni_multus.firewall.firewalld import Firewalld, is_active

        if not is_active(host):
            return  # what it was told is gone with it
        with Firewalld(self._environment) as firewalld:
            for ip in ips:
                firewalld.distrust(self._zone, _source(ip))

    def differences(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> list[str]:
        from cni_multus.firewall.firewalld import Firewalld

        with Firewalld(self._environment) as firewalld:
            return [
                f"{ip} is not in firewalld's zone {self._zone}"
                for ip in ips
                if not firewalld.trusts(self._zone, _source(ip))
            ]

    def probe(self, host: Namespace) -> None:
        from cni_multus.firewall.firewalld import Firewalld

        with Firewalld(self._environment) as firewalld:
            firewalld.trusts(self._zone, "192.0.2.1/32")


class OfIptables(Backend):
    """iptables: rules in the chain that the Go plugin has, too."""

    __slots__ = ("_admin_chain",)

    def __init__(self, told: dict[str, str], request: Request) -> None:
        super().__init__(told)
        self._admin_chain = told.get("adminChain", "CNI-ADMIN")

    def allow(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
        from cni_multus.firewall import forwarding

        forwarding.allow(host, attachment, ips, self._admin_chain)

    def revoke(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> None:
        from cni_multus.firewall import forwarding

        forwarding.revoke(host, attachment, ips)

    def differences(self, host: Namespace, attachment: Attachment, ips: list[Ip]) -> list[str]:
        from cni_multus.firewall import forwarding

        return forwarding.not_allowed(host, attachment, ips, self._admin_chain)

    def probe(self, host: Namespace) -> None:
        from cni_multus.iptables import find_program

        if not find_program("iptables-restore"):
            raise NetlinkFailure("there is no iptables-restore on this node")


def choose(host: Namespace, wanted: str, request: Request, *, zone: str, admin_chain: str) -> Backend:
    """The backend that is asked for, else the one that the node needs."""
    kind = wanted or who_else_filters(host) or "nftables"
    told = {"backend": kind}
    if kind == "firewalld":
        told["zone"] = zone
    if kind == "iptables":
        told["adminChain"] = admin_chain
    return Backend.of(told, request)


def who_else_filters(host: Namespace) -> str:
    """The one of firewalld and iptables that decides about what the node forwards, else "".

    Told from the kernel, without a process: firewalld has a table of its name, iptables one named filter.
    """
    from cni_multus.firewall.firewalld import is_active

    if is_active(host):
        return "firewalld"
    from cni_multus.iptables import may_have

    return "iptables" if any(may_have(host, family, "filter", "FORWARD") for family in (4, 6)) else ""


def _source(ip: Ip) -> str:
    return f"{ip}/{32 if ip.family == 4 else 128}"
