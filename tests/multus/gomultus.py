"""The Go Multus (multus-cni 4.3, thin) as a program that a node's runtime executes, and the files that it leaves.

There is no package of it. This does what that does as far as a node sees it: the delegates of its configuration and the
networks of the pod one after another, each by the Go plugins through libcni's cache; the scratch file, by which DEL
goes; and what is missing, such as CHECK of secondary networks. Its API server is a JSON file, which the
`kubeconfig` names: `{"pods": {<name>: <annotation>}, "definitions": {<namespace>/<name>: <config>}}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.node import Node, Pod

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """#!{python} -I
import sys
sys.path.insert(0, {root!r})
from tests.multus.gomultus import main
main()
"""


def packed(document: object) -> str:
    return b64encode(json.dumps(document).encode()).decode()


def write_scratch(node: Node, pod: Pod, *delegates: dict[str, Any], **requests: object) -> Path:
    """`<cniDir>/<containerID>`: one object for each delegate; `requests` go into the last one's."""
    written = [scratch(delegate) for delegate in delegates]
    written[-1:] = [{**one, **requests} for one in written[-1:]]
    node.cni_dir.mkdir(parents=True, exist_ok=True)
    path = node.cni_dir / pod.container_id
    path.write_text(json.dumps(written))
    return path


def scratch(delegate: dict[str, Any], ifname: str = "") -> dict[str, Any]:
    """One object of a scratch file."""
    head = {"cniVersion": delegate.get("cniVersion"), "name": delegate["name"]}
    plugins = [{"type": plugin["type"]} for plugin in delegate.get("plugins", [])]
    return {
        "Conf": {} if plugins else {**head, "type": delegate["type"]},
        "ConfList": {**head, "plugins": plugins} if plugins else {},
        "Name": delegate["name"],
        "ifnameRequest": ifname,
        "macRequest": "",
        "infinibandGUIDRequest": "",
        "ipRequest": None,
        "default-route": None,
        "IsFilterV4Gateway": False,
        "IsFilterV6Gateway": False,
        "deviceID": "",
        "resourceName": "",
        "Bytes": packed(delegate),
    }


def write_cached(node: Node, pod: Pod, network: dict[str, Any], ifname: str, result: object, **more: object) -> Path:
    """`<cniDir>/results/<network>-<containerID>-<ifname>`."""
    directory = node.cni_dir / "results"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{network['name']}-{pod.container_id}-{ifname}"
    path.write_text(json.dumps({**cached(network, pod.container_id, pod.netns, ifname, result), **more}))
    return path


def cached(network: dict[str, Any], container: str, netns: str, ifname: str, result: object) -> dict[str, Any]:
    """What libcni keeps of an attachment."""
    return {
        "kind": "cniCacheV1",
        "containerId": container,
        "config": packed(network),
        "ifName": ifname,
        "networkName": network["name"],
        "netns": netns,
        "cniArgs": [["IgnoreUnknown", "true"], ["K8S_POD_NAME", "web"]],
        "capabilityArgs": {},
        "result": result,
    }


def install(path: Path) -> None:
    """Put the program there."""
    path.write_text(PROGRAM.format(python=sys.executable, root=str(ROOT)))
    path.chmod(0o755)


class Failed(Exception):
    """What a plugin printed instead of a result."""


class GoMultus:
    """One request: `environment` is the runtime's, `config` its standard input."""

    def __init__(self, environment: dict[str, str], config: dict[str, Any]) -> None:
        self.environment = environment
        self.config = config
        self.container = environment["CNI_CONTAINERID"]
        self.netns = environment.get("CNI_NETNS", "")
        self.cni_dir = Path(config.get("cniDir", "/var/lib/cni/multus"))
        self.arguments = dict(pair.split("=", 1) for pair in environment.get("CNI_ARGS", "").split(";") if pair)

    def add(self) -> dict[str, Any]:
        """All networks; the master's result. What fails is taken back, and the scratch file stays."""
        delegates = self._delegates()
        (self.cni_dir / "results").mkdir(parents=True, exist_ok=True)
        document = [scratch(delegate, ifname) for delegate, ifname in delegates]
        (self.cni_dir / self.container).write_text(json.dumps(document))
        results: list[dict[str, Any]] = []
        for at, (delegate, _) in enumerate(delegates):
            try:
                results.append(self._attach(delegate, self._ifname(at, delegates[at][1])))
            except Failed:
                for back in range(at, -1, -1):
                    self._detach(delegates[back][0], self._ifname(back, delegates[back][1]))
                raise
        return results[0]

    def delete(self) -> None:
        """By the scratch file, else by the API; nobody is called where there is neither. The file goes in any case."""
        path = self.cni_dir / self.container
        if path.exists():
            read = json.loads(path.read_text())
            delegates = [(json.loads(b64decode(one["Bytes"])), one["ifnameRequest"]) for one in read]
            # multus.CmdDel: what has plugins in ConfList is a list, whatever the bytes are.
            assert ["plugins" in each for each, _ in delegates] == [
                bool(one["ConfList"].get("plugins")) for one in read
            ]
        elif self._annotation() is not None:
            delegates = self._delegates()
        else:
            return
        errors = []
        for at in range(len(delegates) - 1, -1, -1):
            delegate, asked = delegates[at]
            errors += self._detach(delegate, self._ifname(at, asked))
        path.unlink(missing_ok=True)
        if errors:
            raise Failed("errors: " + " / ".join(errors))

    def _ifname(self, at: int, asked: str) -> str:
        return asked or (f"net{at}" if at else self.environment["CNI_IFNAME"])

    def _api(self) -> dict[str, Any]:
        path = self.config.get("kubeconfig")
        if not path:
            return {"pods": {}, "definitions": {}}
        found = json.loads(Path(json.loads(Path(path).read_text())["server"]).read_text())
        assert isinstance(found, dict)
        return found

    def _annotation(self) -> str | None:
        found = self._api()["pods"].get(self.arguments.get("K8S_POD_NAME", ""))
        return None if found is None else str(found)

    def _delegates(self) -> list[tuple[dict[str, Any], str]]:
        """With the interface that is asked for; a definition without a name has its own name."""
        found = [(delegate, "") for delegate in self.config["delegates"]]
        definitions = self._api()["definitions"]
        for item in filter(None, (self._annotation() or "").split(",")):
            name, _, ifname = item.partition("@")
            found.append(({"name": name.rpartition("/")[2], **definitions[name]}, ifname))
        return [({"cniVersion": self.config["cniVersion"], **delegate}, ifname) for delegate, ifname in found]

    def _cache(self, network: dict[str, Any], ifname: str) -> Path:
        return self.cni_dir / "results" / f"{network['name']}-{self.container}-{ifname}"

    def _attach(self, network: dict[str, Any], ifname: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for plugin in network.get("plugins", [network]):
            result = self._execute("ADD", network, plugin, ifname, result)
        entry = cached(network, self.container, self.netns, ifname, result)
        self._cache(network, ifname).write_text(json.dumps(entry))
        return result

    def _detach(self, network: dict[str, Any], ifname: str) -> list[str]:
        """DelNetworkList of libcni: it ends at the first that fails, and keeps the cache then."""
        path = self._cache(network, ifname)
        result = json.loads(path.read_text())["result"] if path.exists() else {}
        try:
            for plugin in reversed(network.get("plugins", [network])):
                self._execute("DEL", network, plugin, ifname, result)
        except Failed as error:
            return [str(error)]
        path.unlink(missing_ok=True)
        return []

    def _execute(
        self, verb: str, network: dict[str, Any], plugin: dict[str, Any], ifname: str, previous: dict[str, Any]
    ) -> dict[str, Any]:
        document = {**plugin, "name": network["name"], "cniVersion": network["cniVersion"]}
        if previous:
            document["prevResult"] = previous
        given = self.config.get("runtimeConfig", {})
        if wanted := {key: given[key] for key, on in plugin.get("capabilities", {}).items() if on and key in given}:
            document["runtimeConfig"] = wanted
        environment = {**self.environment, "CNI_COMMAND": verb, "CNI_IFNAME": ifname}
        program = next(
            path
            for directory in self.environment["CNI_PATH"].split(":")
            if (path := Path(directory) / plugin["type"]).is_file()
        )
        done = subprocess.run(
            [program], env=environment, input=json.dumps(document).encode(), capture_output=True, check=False
        )
        if done.returncode:
            raise Failed(f"{verb} of {plugin['type']}: {done.stdout.decode()}{done.stderr.decode()}")
        answer = json.loads(done.stdout) if done.stdout.strip() else {}
        assert isinstance(answer, dict)
        return answer


def main() -> None:
    """The program."""
    command = os.environ["CNI_COMMAND"]
    if command == "VERSION":
        versions = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]
        json.dump({"cniVersion": "1.1.0", "supportedVersions": versions}, sys.stdout)
        return
    request = GoMultus(dict(os.environ), json.load(sys.stdin))
    try:
        if command == "ADD":
            json.dump(request.add(), sys.stdout)
        elif command == "DEL":
            request.delete()
    except (Failed, KeyError) as error:
        json.dump({"cniVersion": "1.0.0", "code": 999, "msg": str(error)}, sys.stdout)
        sys.exit(1)
