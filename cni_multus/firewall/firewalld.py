"""firewalld, which is told over D-Bus to trust addresses: its interface org.fedoraproject.FirewallD1.zone.

jeepney speaks D-Bus. It costs 15 ms to import, on nodes with firewalld only.
"""

from __future__ import annotations

from cni_multus.cni.errors import IoFailure
from cni_multus.linux.nftables import INET, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from cni_multus.linux.netns import Namespace

TIMEOUT = 10.0
"""Seconds that firewalld may take for an answer: it loads its rules anew for each change."""

_TABLE = Table(INET, "firewalld")
_DONE = ("ZONE_ALREADY_SET", "ALREADY_ENABLED", "UNKNOWN_SOURCE", "NOT_ENABLED")


def is_active(host: Namespace) -> bool:
    """Whether firewalld filters on the node, by its table: asking D-Bus would cost every node 20 ms."""
    return _TABLE.exists(host)


class Firewalld:
    """`with Firewalld(environment) as firewalld:` a conversation with it; `environment` may name another bus."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._bus = environment.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"

    def trust(self, zone: str, source: str) -> None:
        """Make `source`, an address with its prefix, part of a zone; it may be so already."""
        self._call("addSource", zone, source)

    def distrust(self, zone: str, source: str) -> None:
        """Take a source out of a zone, if it is there."""
        self._call("removeSource", zone, source)

    def trusts(self, zone: str, source: str) -> bool:
        """Whether a source is part of a zone."""
        return self._call("querySource", zone, source) is True

    def __enter__(self) -> Firewalld:
        from jeepney.io.blocking import open_dbus_connection

        try:
            self._connection = open_dbus_connection(self._bus)
        except (OSError, ValueError, RuntimeError) as error:
            raise IoFailure(f"cannot reach firewalld: D-Bus at {self._bus} does not answer: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _call(self, method: str, zone: str, source: str) -> object:
        from jeepney import DBusAddress, DBusErrorResponse, new_method_call
        from jeepney.wrappers import unwrap_msg

        where = DBusAddress(
            "/org/fedoraproject/FirewallD1", "org.fedoraproject.FirewallD1", "org.fedoraproject.FirewallD1.zone"
        )
        attempt = f"cannot call {method} of firewalld for {source} and zone {zone}"
        try:
            reply = self._connection.send_and_get_reply(
                new_method_call(where, method, "ss", (zone, source)), timeout=TIMEOUT
            )
            return unwrap_msg(reply)[0]
        except DBusErrorResponse as refused:
            said = str(refused.data[0]) if refused.data else refused.name
            if said.partition(":")[0] in _DONE:
                return None
            raise IoFailure(f"{attempt}: {said}") from refused
        except (OSError, TimeoutError) as error:
            raise IoFailure(f"{attempt}: {str(error) or 'no answer within ' + str(TIMEOUT) + ' s'}") from error
