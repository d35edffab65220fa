"""A node whose runtime calls one plugin at a time, as the configuration's `type` says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.node import Answer, Node, Pod
from tests.plugins.shown import Shown
from tools.build import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cni_multus.linux.netns import Namespace

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
WITH_CHECK = VERSIONS[4:]
PYTHONPATH = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


class Runtime(Node):
    """The node, what `ip` shows of it, and the verbs."""

    def __init__(self, host: Namespace, root: Path) -> None:
        super().__init__(host, root)
        self.shown = Shown(host.path)

    def ask(
        self,
        verb: str,
        config: Mapping[str, Any],
        pod: Pod | None = None,
        previous: Mapping[str, Any] | None = None,
        /,
        **environment: str,
    ) -> Answer:
        """Call the plugin; `previous` is what the runtime remembers of the ADD."""
        told = {**config, "prevResult": previous} if previous else config
        return self.call(verb, told, pod, kind=config["type"], **environment)

    def add(self, config: Mapping[str, Any], pod: Pod, /, **environment: str) -> dict[str, Any]:
        """The result of an ADD, which must succeed."""
        return self.ask("ADD", config, pod, **environment).succeeded().document

    def delete(
        self,
        config: Mapping[str, Any],
        pod: Pod,
        previous: Mapping[str, Any] | None = None,
        /,
        **environment: str,
    ) -> None:
        """A DEL, which must succeed and print nothing."""
        assert self.ask("DEL", config, pod, previous, **environment).succeeded().stdout == b""

    def check(self, config: Mapping[str, Any], pod: Pod, previous: Mapping[str, Any], /, **environment: str) -> None:
        """A CHECK, which must find nothing."""
        assert self.ask("CHECK", config, pod, previous, **environment).succeeded().stdout == b""

    def difference(
        self, config: Mapping[str, Any], pod: Pod, previous: Mapping[str, Any], /, **environment: str
    ) -> str:
        """What a CHECK, which must fail, says."""
        return self.ask("CHECK", config, pod, previous, **environment).failed(102)

    def process(
        self, verb: str, config: Mapping[str, Any], pod: Pod | None, /, *before: str, **environment: str
    ) -> Answer:
        """Call the plugin in a process of its own, with a command `before` it that starts it."""
        done = subprocess.run(
            self.command(config["type"], *before),
            env=(pod or Pod("", "")).environment(verb, str(self.runtime_path), **environment) | PYTHONPATH,
            input=json.dumps(config).encode(),
            capture_output=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def command(self, kind: str, *before: str) -> list[str]:
        """What starts the plugin `kind` on this node, as the link in the plugin directory would."""
        link = self.root / "links" / kind
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(ROOT / "cni_multus" / "__main__.py")
        return ["nsenter", f"--net={self.host.path}", *before, sys.executable, str(link)]

    def given(self, *addresses: str, gateway: str = "", routes: Any = (), **more: Any) -> dict[str, Any]:
        """`ipam` of a program that is not ours and gives these addresses and routes, whatever is asked."""
        ips = [{"address": address, **({"gateway": gateway} if gateway else {})} for address in addresses]
        result = {"cniVersion": "1.1.0", "ips": ips, "routes": list(routes), **more}
        self.program("given", self.runtime_path, ADD={"stdout": json.dumps(result)})
        return {"type": "given"}

    def verbs(self) -> list[str]:
        """What programs that are not ours were asked so far."""
        return [call["command"] for call in self.calls()]
