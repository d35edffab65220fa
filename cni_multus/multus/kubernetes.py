"""What one request has of the cluster: the keys of 00-multus.conf about it, the pod, the API server.

Nothing is connected before it is asked for. Only ADD asks, and STATUS where the cluster's network is a definition.
"""

from __future__ import annotations

from cni_multus.cni.errors import CniError, UnknownContainer
from cni_multus.cni.request import OF_A_CONTAINER
from cni_multus.multus.settings import directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.kube.client import Client
    from cni_multus.kube.credentials import Access
    from cni_multus.multus.settings import Settings
    from cni_multus.nads.sources import Definitions

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
"""The capability by which a runtime hands over the pod's annotations (containerd 1.6, CRI-O 1.29 and later)."""

NAD_DIR = "/etc/cni/multus/nad.d"
MULTUS_NAMESPACE = "kube-system"
GLOBAL_NAMESPACES = ("default",)
API_TIMEOUT = 25
"""Seconds for all that is asked of the API server before the first attachment, and as many for what is told it after
the last: a runtime gives a request two minutes at least."""
RENEWAL = 20.0
"""Seconds, of those, that an ADD waits for a token which the API server takes: until the next pod of a DaemonSet runs
that is rolled out. Nobody else waits."""

STATUS_TIMEOUT = 3
"""The same for a runtime that asks every few seconds whether the node is well."""

_SOURCE = "kubernetes.io/config.source"
_FROM_THE_API = "api"


class Pod:
    """The pod of a request, and those of its annotations that matter here.

    `uid` is the API's where that was asked, else the runtime's.
    """

    __slots__ = ("annotations", "name", "namespace", "uid")

    def __init__(self, namespace: str, name: str, uid: str, annotations: dict[str, str]) -> None:
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.annotations = annotations

    @property
    def asks(self) -> bool:
        """Whether its owner names networks."""
        return any(key != _SOURCE for key in self.annotations)

    @property
    def is_static(self) -> bool:
        """Whether the node has it from elsewhere: what the API has of it is a mirror, with a UID of its own."""
        return self.annotations.get(_SOURCE, _FROM_THE_API) != _FROM_THE_API


class Kubernetes:
    """The cluster as one request sees it."""

    def __init__(self, request: Request, settings: Settings) -> None:
        config = settings.config
        self._request = request
        self._config = config
        self._client: Client | None = None
        self._definitions: Definitions | None = None
        self.kubeconfig = config.text("kubeconfig")
        self.multus_namespace = config.text("multusNamespace") or MULTUS_NAMESPACE
        self.isolation = config.flag("namespaceIsolation")
        self.global_namespaces = _names(config, "globalNamespaces") or GLOBAL_NAMESPACES
        self.older_status = config.flag("networksStatus")
        self._nad_dir = directory(config, "nadDir", NAD_DIR)
        self._timeout = config.number("apiTimeout", API_TIMEOUT, low=1, high=600)
        if request.command == "STATUS":
            self._timeout = min(self._timeout, STATUS_TIMEOUT)

    @property
    def has_api(self) -> bool:
        """Whether an API server is known at all."""
        environment = self._request.environment
        in_cluster = environment.get("KUBERNETES_SERVICE_HOST") and environment.get("KUBERNETES_SERVICE_PORT")
        return bool(self.kubeconfig or in_cluster)

    @property
    def definitions(self) -> Definitions:
        """Where the cluster's networks are defined."""
        if self._definitions is None:
            from cni_multus.nads.sources import ApiDefinitions, FileDefinitions

            self._definitions = ApiDefinitions(self.client) if self.has_api else FileDefinitions(self._nad_dir)
        return self._definitions

    @property
    def connected(self) -> Client | None:
        """The client, None where nothing was asked yet."""
        return self._client

    def client(self) -> Client:
        """The API server's client; raises what is wrong with the credentials."""
        if self._client is None:
            from cni_multus.kube.client import Client
            from cni_multus.kube.deadline import Deadline

            self._deadline = Deadline(self._timeout)
            renewal = RENEWAL if self._request.command == "ADD" else 0.0
            self._client = Client(self.access(), self._deadline, renewal=renewal)
        return self._client

    def access(self) -> Access:
        """Where the API server is and who we are there; raises what is wrong with the credentials."""
        if self.kubeconfig:
            from cni_multus.kube.kubeconfig import load_kubeconfig

            return load_kubeconfig(self.kubeconfig)
        from cni_multus.kube.credentials import in_cluster

        return in_cluster(self._request.environment)

    def pod(self) -> Pod | None:
        """The pod and what it asks for; None where the runtime names none, or nobody can tell its annotations.

        Raises UnknownContainer where it is gone, or another one has its name by now.
        """
        arguments = self._request.arguments if self._request.command in OF_A_CONTAINER else {}
        names = [arguments.get(f"K8S_POD_{key}", "") for key in ("NAMESPACE", "NAME", "UID")]
        namespace, name, uid = names
        if not namespace or not name:
            return None
        told = self._told()
        if told is not None:
            return Pod(namespace, name, uid, told)
        if not self.has_api:
            return None
        return self._asked(namespace, name, uid)

    def annotate(self, pod: Pod, annotations: dict[str, str]) -> None:
        """Lay annotations over the pod's, if it is still that pod; raises UnknownContainer where it is not."""
        from cni_multus.kube.errors import Conflict, NotFound, Unprocessable
        from cni_multus.kube.objects import PODS

        metadata: dict[str, object] = {"annotations": annotations}
        if pod.uid and not pod.is_static:
            metadata["uid"] = pod.uid
        client = self.client()
        self._deadline.begin_again()
        try:
            client.merge_patch(
                PODS.path(pod.namespace, pod.name), {"metadata": metadata}, subresource="status", metadata_only=True
            )
        except NotFound as error:
            if pod.is_static:
                return  # its mirror is not there yet, or nobody makes one
            raise _gone(pod.namespace, pod.name, error.message) from error
        except (Conflict, Unprocessable) as error:
            # 409 by the API's own rules; servers up to 1.20 call another UID an invalid value.
            if ("metadata.uid" if isinstance(error, Unprocessable) else "UID") not in error.message:
                raise
            raise _gone(pod.namespace, pod.name, error.message) from error

    def _told(self) -> dict[str, str] | None:
        """The annotations that the runtime handed over, None where it does not do that."""
        runtime = self._config.section("runtimeConfig")
        if ANNOTATIONS not in runtime.raw:  # a pod without any has a null there
            return None
        return _read(runtime.section(ANNOTATIONS))

    def _asked(self, namespace: str, name: str, uid: str) -> Pod:
        from cni_multus.cni.config import Section
        from cni_multus.kube.errors import BadAnswer, NotFound
        from cni_multus.kube.objects import PODS, confirm

        try:
            found = self.client().get(PODS.path(namespace, name), metadata_only=True)
        except NotFound as error:
            raise _gone(namespace, name, error.message) from error
        confirm(found, PODS, namespace, name)
        try:
            metadata = Section(found).section("metadata")
            pod = Pod(namespace, name, metadata.text("uid"), _read(metadata.section("annotations")))
        except CniError as error:
            raise BadAnswer(f"the API server's pod {namespace}/{name} is none: {error.message}") from error
        if uid and pod.uid != uid and not pod.is_static:
            raise _gone(namespace, name, f"the pod of that name has the UID {pod.uid or 'that is empty'}, not {uid}")
        return pod


def _read(annotations: Section) -> dict[str, str]:
    """Those that matter here: what is wrong with others is not for us to tell."""
    from cni_multus.selection import DEFAULT_NETWORK, NETWORKS  # only where there is a pod

    return {key: _text(annotations, key) for key in (NETWORKS, DEFAULT_NETWORK, _SOURCE) if key in annotations.raw}


def _text(annotations: Section, key: str) -> str:
    """Any text, also one with a NUL: what is wrong inside is for its parser, which tells the place."""
    value = annotations.raw[key]
    return value if isinstance(value, str) else annotations.text(key)


def _gone(namespace: str, name: str, why: str) -> UnknownContainer:
    return UnknownContainer(f"the pod {namespace}/{name} is not there any more: {why}")


def _names(config: Section, key: str) -> tuple[str, ...]:
    """Names with commas between, as Multus writes them, or a list."""
    if isinstance(config.value(key), list):
        return config.texts(key)
    return tuple(name.strip() for name in config.text(key).split(",") if name.strip())
