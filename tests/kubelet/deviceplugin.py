"""A device plugin: what tells the kubelet that its node has devices."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from tools.crikit import crikit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

VERSION = "v1beta1"
SOCKET = "tests.sock"
KUBELET = "kubelet.sock"
PATIENCE = 60


class DevicePlugin:
    """Devices of one resource, all of them healthy; it is told of again whenever the kubelet has begun anew."""

    def __init__(self, directory: Path, resource: str, devices: Sequence[str]) -> None:
        self._directory = directory
        self._resource = resource
        self._devices = devices
        self._messages, self._services = crikit().stubs("deviceplugin")
        self._known = threading.Event()
        self._over = threading.Event()
        self._server: grpc.Server | None = None
        self._thread = threading.Thread(target=self._stay, daemon=True)

    def __enter__(self) -> DevicePlugin:
        self._thread.start()
        assert self._known.wait(PATIENCE), f"no kubelet listens in {self._directory}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._server:
            self._server.stop(0).wait()

    def _stay(self) -> None:
        """A kubelet that starts removes the sockets of all plugins."""
        while not self._over.wait(0.1):
            if not (self._directory / SOCKET).exists() and (self._directory / KUBELET).exists():
                try:
                    self._begin()
                except (grpc.RpcError, RuntimeError):  # it is about to begin anew, or has not begun yet
                    (self._directory / SOCKET).unlink(missing_ok=True)
                    continue
                self._known.set()

    def _begin(self) -> None:
        if self._server:
            self._server.stop(0).wait()
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._services.add_DevicePluginServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix://{self._directory / SOCKET}")
        self._server.start()
        request = self._messages.RegisterRequest(version=VERSION, endpoint=SOCKET, resource_name=self._resource)
        with grpc.insecure_channel(f"unix://{self._directory / KUBELET}") as channel:
            self._services.RegistrationStub(channel).Register(request, timeout=10)

    # What the kubelet calls; the interface names the methods.

    def GetDevicePluginOptions(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._messages.DevicePluginOptions()

    def ListAndWatch(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        devices = [self._messages.Device(ID=device, health="Healthy") for device in self._devices]
        yield self._messages.ListAndWatchResponse(devices=devices)
        while context.is_active() and not self._over.wait(0.2):
            pass

    def Allocate(self, request: Any, context: Any) -> Any:  # noqa: N802
        answers = [self._messages.ContainerAllocateResponse() for _ in request.container_requests]
        return self._messages.AllocateResponse(container_responses=answers)

    def GetPreferredAllocation(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._messages.PreferredAllocationResponse()

    def PreStartContainer(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._messages.PreStartContainerResponse()
