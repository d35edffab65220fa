"""What a kubelet asks of a container runtime, over CRI."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import grpc

from tests.cri.image import FOREVER, IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tools.crikit import Kit

PATIENCE = 120
"""Seconds that any request may take."""


class Refused(Exception):
    """The runtime answered with an error; the message is its own."""


class Runtime:
    """A runtime that listens on a socket."""

    def __init__(self, kit: Kit, socket: Path, cgroup: str) -> None:
        self.messages, services = kit.stubs("cri")
        self._cgroup = cgroup
        self._channel = grpc.insecure_channel(f"unix://{socket}")
        self._runtime = services.RuntimeServiceStub(self._channel)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def ask(self, method: str, message: Any, timeout: float = PATIENCE) -> Any:
        """The answer to one request; raises Refused."""
        try:
            return getattr(self._runtime, method)(message, timeout=timeout)
        except grpc.RpcError as error:
            raise Refused(error.details()) from error

    def status(self) -> Any:
        """The runtime's status, with all that it tells about itself."""
        return self.ask("Status", self.messages.StatusRequest(verbose=True))

    def network_condition(self) -> tuple[bool, str]:
        """Whether it thinks that pods can have networks, and why not."""
        [condition] = (each for each in self.status().status.conditions if each.type == "NetworkReady")
        return condition.status, condition.message

    def sandboxes(self) -> list[str]:
        """The IDs of all sandboxes."""
        return [each.id for each in self.ask("ListPodSandbox", self.messages.ListPodSandboxRequest()).items]

    def run_pod(
        self,
        name: str,
        *,
        namespace: str = "blue",
        uid: str = "",
        attempt: int = 0,
        ports: tuple[tuple[int, int], ...] = (),
        annotations: dict[str, str] | None = None,
    ) -> Sandbox:
        """A sandbox, as RunPodSandbox makes it; `ports` are (of the node, of the pod), TCP."""
        config = self._config(name, namespace, uid, attempt)
        config.port_mappings.extend(self.messages.PortMapping(host_port=out, container_port=to) for out, to in ports)
        config.annotations.update(annotations or {})
        begun = time.monotonic()
        answer = self.ask("RunPodSandbox", self.messages.RunPodSandboxRequest(config=config))
        return Sandbox(self, answer.pod_sandbox_id, config, time.monotonic() - begun)

    def give_up_pod(self, name: str, when: Callable[[], object]) -> None:
        """Ask for a sandbox, and take that back as soon as `when` says so, as a kubelet does after minutes."""
        request = self.messages.RunPodSandboxRequest(config=self._config(name))
        asked = self._runtime.RunPodSandbox.future(request, timeout=PATIENCE)
        while not when():
            assert not asked.done(), asked.exception()
            time.sleep(0.01)
        asked.cancel()

    def _config(self, name: str, namespace: str = "blue", uid: str = "", attempt: int = 0) -> Any:
        return self.messages.PodSandboxConfig(
            metadata={"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "attempt": attempt},
            hostname=name,
            linux={"cgroup_parent": f"/{self._cgroup}"},
        )

    def stop(self, sandbox: str) -> None:
        """StopPodSandbox: its processes end, and its networks are detached."""
        self.ask("StopPodSandbox", self.messages.StopPodSandboxRequest(pod_sandbox_id=sandbox))

    def remove(self, sandbox: str) -> None:
        """RemovePodSandbox: its networks are detached once more, and it is forgotten."""
        self.ask("RemovePodSandbox", self.messages.RemovePodSandboxRequest(pod_sandbox_id=sandbox))


class Sandbox:
    """A pod's sandbox; a container for looking into it is made when one is wanted."""

    def __init__(self, runtime: Runtime, identity: str, config: Any, seconds: float) -> None:
        self.id = identity
        self.seconds = seconds
        """How long it took to make it."""
        self._runtime = runtime
        self._config = config
        self._container = ""

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self._config.metadata.name)

    def execute(self, *command: str) -> str:
        """What a command in the pod prints; raises Refused, or AssertionError where its status is not 0."""
        status, output = self.attempt(*command)
        assert status == 0, f"{command} in {self.name}: status {status}: {output}"
        return output

    def attempt(self, *command: str) -> tuple[int, str]:
        """The status of a command in the pod, and all that it prints."""
        messages = self._runtime.messages
        self._container = self._container or self._start()
        request = messages.ExecSyncRequest(container_id=self._container, cmd=command, timeout=30)
        answer = self._runtime.ask("ExecSync", request)
        return answer.exit_code, (answer.stdout + answer.stderr).decode()

    def status(self) -> Any:
        """What the runtime says about the sandbox, its addresses among it."""
        request = self._runtime.messages.PodSandboxStatusRequest(pod_sandbox_id=self.id)
        return self._runtime.ask("PodSandboxStatus", request).status

    def stop(self) -> None:
        """See Runtime.stop."""
        self._runtime.stop(self.id)

    def remove(self) -> None:
        """See Runtime.remove."""
        self._runtime.remove(self.id)

    def interfaces(self) -> dict[str, list[str]]:
        """The addresses of each interface but `lo`, link-local ones left out, as `ip` in the pod prints them."""
        found: dict[str, list[str]] = {}
        for line in self.execute("ip", "link").splitlines():
            if line[0].isdigit() and not line.split()[1].startswith("lo:"):
                found[line.split()[1].partition("@")[0].rstrip(":")] = []
        for line in self.execute("ip", "-o", "addr").splitlines():
            _, name, family, address, *_ = line.split()
            if family in ("inet", "inet6") and name in found and not address.startswith("fe80"):
                found[name].append(address)
        return found

    def _start(self) -> str:
        messages = self._runtime.messages
        config = messages.ContainerConfig(
            metadata={"name": "main", "attempt": self._config.metadata.attempt},
            image={"image": IMAGE},
            command=FOREVER,
            log_path="",
            linux={},
        )
        request = messages.CreateContainerRequest(pod_sandbox_id=self.id, config=config, sandbox_config=self._config)
        identity = str(self._runtime.ask("CreateContainer", request).container_id)
        self._runtime.ask("StartContainer", messages.StartContainerRequest(container_id=identity))
        return identity
