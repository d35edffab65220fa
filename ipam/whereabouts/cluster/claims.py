"""IPAMClaims (Network Plumbing Working Group, standard 1.3, section 8): addresses that outlive the pod that has them.

The claim's object says which addresses it has (`status.ips`), and the pools that the claim has them: an allocation's
`id` is then the UID of the claim, and its `podref` the claim's namespace and name. No container stands there, so that
sandboxes may come, go and overlap without a word to the API. What a claim has is given back when it is deleted.
"""

from __future__ import annotations

from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.config import Section
from cni_multus.cni.errors import ApiFailure, InvalidNetworkConfig, TryAgainLater
from cni_multus.kube.errors import Conflict, Forbidden, NotFound, NotServed
from cni_multus.kube.objects import IPAM_CLAIMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cni_multus.kube.client import Client
    from cni_multus.state.leases.lease import Holder
    from ipam.whereabouts.config import WhereaboutsConfig
    from ipam.whereabouts.pool import Pool

WHERE = "args.cni.ipam-claim-reference"
_ATTEMPTS = 5


class Claim:
    """An IPAMClaim: `ref` is `<namespace>/<name>`, `addresses` what its status says, as far as that can be read."""

    __slots__ = ("addresses", "deleted", "ifname", "network", "ref", "uid", "version")

    def __init__(
        self,
        ref: str,
        uid: str,
        addresses: Sequence[Cidr] = (),
        *,
        network: str = "",
        ifname: str = "",
        version: str = "",
        deleted: bool = False,
    ) -> None:
        self.ref = ref
        self.uid = uid
        self.addresses = list(addresses)
        self.network = network
        self.ifname = ifname
        self.version = version
        self.deleted = deleted
        """Somebody deletes it; a finalizer may keep it for a while."""

    @staticmethod
    def parse(document: dict[str, object]) -> Claim:
        """Read an object of the API."""
        section = Section(document)
        metadata, spec = section.section("metadata"), section.section("spec")
        addresses = [_address(text) for text in section.section("status").texts("ips")]
        return Claim(
            f"{metadata.text('namespace')}/{metadata.text('name')}",
            metadata.text("uid"),
            [address for address in addresses if address],
            network=spec.text("network"),
            ifname=spec.text("interface"),
            version=metadata.text("resourceVersion"),
            deleted=metadata.has("deletionTimestamp"),
        )

    def address_in(self, pool: Pool) -> Ip | None:
        """The address of `pool` that it has; bounds and exclusions do not matter, they may be newer."""
        return next((each.ip for each in self.addresses if pool.cidr.contains(each.ip)), None)

    def record(self, client: Client, addresses: Sequence[Cidr]) -> None:
        """Write into its status which addresses it has, unless it says so; the status's other members stay.

        TryAgainLater where it was deleted, or another sandbox of it was faster with other addresses.
        """
        for _ in range(_ATTEMPTS):
            if self.addresses == list(addresses):
                return
            try:
                client.merge_patch(_path(self.ref), self._with(addresses), subresource="status", metadata_only=True)
            except Forbidden as error:
                raise _lacks("patch", "ipamclaims/status", self.ref, error) from error
            except (Conflict, NotFound):
                self._look_again(client, addresses)
                continue
            self.addresses = list(addresses)
            return
        raise TryAgainLater(f"cannot record the addresses of IPAMClaim {self.ref}: others change it all the time")

    def _with(self, addresses: Sequence[Cidr]) -> dict[str, object]:
        return {
            "metadata": {"uid": self.uid, "resourceVersion": self.version},
            "status": {"ips": [str(address) for address in addresses]},
        }

    def _look_again(self, client: Client, addresses: Sequence[Cidr]) -> None:
        """It changed after it was read: that is fine as long as it is the same one, with the same addresses."""
        now = read_claim(client, self.ref)
        if now is None or now.uid != self.uid:
            raise TryAgainLater(f"cannot record the addresses of IPAMClaim {self.ref}: it was deleted meanwhile")
        if now.addresses not in (self.addresses, list(addresses)):
            raise TryAgainLater(f"IPAMClaim {self.ref} was given other addresses meanwhile, for another sandbox")
        self.version = now.version
        self.addresses = now.addresses


def find_claim(client: Client, config: WhereaboutsConfig, holder: Holder) -> Claim:
    """The claim that `holder` names, which must be for its network and interface."""
    claim = read_claim(client, holder.claim)
    if claim is None:
        raise TryAgainLater(
            f"there is no IPAMClaim {holder.claim}, which {WHERE} of pod {holder.pod} names",
            "it has to exist in the pod's namespace before the pod starts",
        )
    attachment = holder.attachment
    if claim.network not in ("", config.network, config.network_name):
        raise InvalidNetworkConfig(
            f"{WHERE}: IPAMClaim {claim.ref} is for network {claim.network!r}, and this is {config.network!r}"
        )
    if claim.ifname not in ("", attachment.ifname):
        raise InvalidNetworkConfig(
            f"{WHERE}: IPAMClaim {claim.ref} is for interface {claim.ifname!r}, and this is {attachment.ifname!r}"
        )
    if claim.deleted:
        raise TryAgainLater(
            f"IPAMClaim {claim.ref} is being deleted, and gives addresses to nobody any more",
            "a finalizer keeps it; make it anew, or let the pod name another one",
        )
    return claim


def read_claim(client: Client, ref: str) -> Claim | None:
    """The claim `<namespace>/<name>`; None where there is none."""
    try:
        return Claim.parse(client.get(_path(ref)))
    except NotFound:
        return None
    except NotServed as error:
        raise ApiFailure(
            f"{WHERE}: the cluster has no IPAMClaims, and {ref} was named: {error.message}",
            "install the CustomResourceDefinition ipamclaims.k8s.cni.cncf.io",
        ) from error
    except Forbidden as error:
        raise _lacks("get", "ipamclaims", ref, error) from error


def _path(ref: str) -> str:
    namespace, _, name = ref.partition("/")
    if not (namespace and name):
        raise InvalidNetworkConfig(f"{WHERE}: {ref!r} is not the name of an IPAMClaim in a pod's namespace")
    return IPAM_CLAIMS.path(namespace, name)


def _lacks(verb: str, resource: str, ref: str, error: Forbidden) -> ApiFailure:
    return ApiFailure(
        f"cannot {verb} {resource} of {ref}: {error.said or error.message}",
        f"the account needs a rule: apiGroups [k8s.cni.cncf.io], resources [{resource}], verbs [{verb}]",
    )


def _address(text: str) -> Cidr | None:
    """`10.0.0.5/24`; without a length, as some write it, it is that of one address. None where it is neither."""
    try:
        return Cidr.parse(text) if "/" in text else Cidr(Ip.parse(text), 128 if ":" in text else 32)
    except ValueError:
        return None
