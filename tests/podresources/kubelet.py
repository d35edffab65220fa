"""A gRPC server on a unix socket that answers as kubelets of different ages do; grpcio's own, and its own messages."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from tests.podresources.api import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    Refusal = tuple[grpc.StatusCode, str]

DISABLED = (grpc.StatusCode.UNKNOWN, "PodResources API Get method disabled")


class Kubelet:
    """`with Kubelet(path, pod, ...) as kubelet:` its pods, and what it refuses: by method, refusals one after another.

    The last refusal of a method goes on for ever; "" is none. `has_get` is what kubelets have since 1.27.
    """

    def __init__(
        self, socket: Path, *pods: Any, refuse: dict[str, list[Refusal | None]] | None = None, has_get: bool = True
    ) -> None:
        self.pods = list(pods)
        self.calls: list[str] = []
        self.slow = threading.Event()
        self.slow.set()
        self._refuse = refuse or {}
        self._threads = ThreadPoolExecutor(4)
        unlimited = [("grpc.max_send_message_length", -1)]
        self._server = grpc.server(self._threads, options=unlimited)
        methods = {"List": self._list, **({"Get": self._get} if has_get else {})}
        handlers = {name: self._handler(name, answer) for name, answer in methods.items()}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("v1.PodResourcesLister", handlers),)
        )
        self._server.add_insecure_port(f"unix:{socket}")

    def __enter__(self) -> Kubelet:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.slow.set()
        self._server.stop(None).wait()
        self._threads.shutdown()

    def _handler(self, name: str, answer: Callable[[Any, Any], Any]) -> Any:
        def called(request: Any, context: Any) -> Any:
            self.calls.append(name)
            self.slow.wait()
            refusals = self._refuse.get(name, [])
            refusal = (refusals.pop(0) if len(refusals) > 1 else refusals[0]) if refusals else None
            if refusal:
                context.abort(*refusal)
            return answer(request, context)

        return grpc.unary_unary_rpc_method_handler(
            called,
            request_deserializer=message(f"{name}PodResourcesRequest").FromString,
            response_serializer=message(f"{name}PodResourcesResponse").SerializeToString,
        )

    def _list(self, request: Any, context: Any) -> Any:
        return message("ListPodResourcesResponse")(pod_resources=self.pods)

    def _get(self, request: Any, context: Any) -> Any:
        for pod in self.pods:
            if (pod.name, pod.namespace) == (request.pod_name, request.pod_namespace):
                return message("GetPodResourcesResponse")(pod_resources=pod)
        said = f"pod {request.pod_name} in namespace {request.pod_namespace} not found"
        context.abort(grpc.StatusCode.UNKNOWN, said)
        return None
