"""An API server with those beside it that make pods of what people apply, and clear up after it.

kube-controller-manager runs the controllers that are named below, and kube-scheduler finds the one node. Pods have
tokens as everywhere since Kubernetes 1.21: made for one pod, and void as soon as that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.apiserver import ApiServer
from tests.cluster.kubeconfig import Credentials, kubeconfig
from tools.kubekit import kubekit

if TYPE_CHECKING:
    from pathlib import Path

CONTROLLERS = (
    *("daemonset", "deployment", "replicaset"),
    *("serviceaccount", "serviceaccount-token", "root-ca-cert-publisher"),
    *("garbagecollector", "namespace"),
    "nodelifecycle",  # a new node takes no pods until this one has seen it ready
)
GATES = "BoundServiceAccountTokenVolume=true"
"""What 1.20 has, and 1.21 has on."""


class ControlPlane(ApiServer):
    """One of each, with no ports of their own, and no election."""

    def start(self) -> None:
        super().start()
        kit = kubekit(building=False)
        self._run("kube-controller-manager", kit.controller_manager, **self._controller_options())
        self._run("kube-scheduler", kit.scheduler, **self._options())
        self._wait("/api/v1/namespaces/default/serviceaccounts/default")

    def _api_options(self) -> dict[str, object]:
        options = super()._api_options()
        del options["disable_admission_plugins"]
        return {**options, "feature_gates": GATES}

    def _controller_options(self) -> dict[str, object]:
        return {
            **self._options(),
            "controllers": ",".join(CONTROLLERS),
            "feature_gates": GATES,
            "node_monitor_period": "1s",
            "root_ca_file": self.address.ca,
            "service_account_private_key_file": self.address.certificate.key,
        }

    def _options(self) -> dict[str, object]:
        return {
            "kubeconfig": self._kubeconfig(),
            "kube_api_qps": 200,
            "kube_api_burst": 400,
            "leader_elect": "false",
            "port": 0,
            "secure_port": 0,
        }

    def _kubeconfig(self) -> Path:
        path = self.directory / "controllers"
        path.write_text(kubeconfig(self.address.url, self.address.ca, Credentials(token=self.address.token)))
        return path
