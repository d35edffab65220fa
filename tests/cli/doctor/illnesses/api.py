"""What is wrong with the way to the API server."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from tests.cli.doctor.illnesses.illness import Illness, on_the_node, reconfigure

if TYPE_CHECKING:
    from tests.cli.doctor.conftest import Ward


def jwt(**claims: float | str) -> str:
    """A token that says this, and that nobody has signed."""
    parts = ({"alg": "RS256"}, claims)
    return ".".join([*(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "c2ln"])


def kubeconfig(node: Ward, token: str, server: str = "https://127.0.0.1:1") -> None:
    """What the watch writes, with this token."""
    directory = node.networks / "multus.d"
    directory.mkdir()
    (directory / "token").write_text(token)
    (directory / "token").chmod(0o600)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "multus", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "multus-context", "context": {"cluster": "local", "user": "multus"}}],
        "current-context": "multus-context",
    }
    path = directory / "multus.kubeconfig"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    reconfigure(node, kubeconfig=str(path))


def expired_token(node: Ward) -> None:
    kubeconfig(node, jwt(exp=time.time() - 7200, sub="system:serviceaccount:kube-system:multus"))


def token_of_tomorrow(node: Ward) -> None:
    kubeconfig(node, jwt(nbf=time.time() + 86400, exp=time.time() + 90000))


def api_away(node: Ward) -> None:
    on_the_node(node, "ip link set lo up")
    kubeconfig(node, jwt(exp=time.time() + 3600))


def kubeconfig_gone(node: Ward) -> None:
    reconfigure(node, kubeconfig=str(node.root / "multus.kubeconfig"))


ILLNESSES = {
    "an expired token": Illness(expired_token, "api-token", ("expired 2 h ago",)),
    "a token of tomorrow": Illness(token_of_tomorrow, "api-token", ("clock of this node is behind",)),
    "an API server that is away": Illness(api_away, "api-reach", ("does not answer",)),
    "a kubeconfig that is gone": Illness(kubeconfig_gone, "api-credentials", ("is not there",)),
}
