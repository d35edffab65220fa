"""00-multus.conf: multus's own keys, read by multus's own code, and the networks that it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cni_multus.cli.lint import refusals
from cni_multus.cli.lint.schemas import check_schema
from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.cni.names import wrong_with_name
from cni_multus.cni.request import Request
from cni_multus.cni.versions import require_supported
from cni_multus.multus.kubernetes import Kubernetes
from cni_multus.multus.log import FORMATS, LEVELS
from cni_multus.multus.settings import PASSING, Settings
from cni_multus.multus.wanted import CLUSTER_NETWORK, system_namespaces

if TYPE_CHECKING:
    from cni_multus.cli.lint.findings import Report
    from cni_multus.cli.lint.network import Networks
    from cni_multus.cli.lint.tree import Tree


@dataclass
class MultusConf:
    """What of it matters to others."""

    tree: Tree
    isolation: bool = False
    global_namespaces: tuple[str, ...] = ("default",)
    nad_paths: tuple[str, ...] = ()
    delegates: int = 1
    version: str = ""
    named: list[tuple[str, tuple[str | int, ...]]] = field(default_factory=list)
    """Networks that it names, and where."""

    @staticmethod
    def check(tree: Tree, report: Report, networks: Networks, outer: Tree | None = None) -> MultusConf:
        """Look at the configuration at `tree`; `outer` is the list that it is a plugin of."""
        assert isinstance(tree.value, dict)
        document = dict(tree.value)
        if outer is not None and isinstance(outer.value, dict):
            document |= {key: outer.value[key] for key in ("name", "cniVersion") if key in outer.value}
        conf = MultusConf(tree)
        refusals.report_all(report, tree, document, conf.refusal)
        check_schema(report, tree, "multus", skip=("delegates",))
        conf.look(document)
        conf.look_at_log(report)
        conf.look_at_delegates(report, networks, document)
        return conf

    def refusal(self, document: dict[str, object]) -> CniError | None:
        """Why a request would be refused with it, whatever the pod."""
        config = Section(document)
        request = Request("ADD", config, {}, container_id="lint", ifname="eth0")
        try:
            if why := wrong_with_name(request.name):
                raise config.wrong("name", why)
            require_supported(request.version)
            settings = Settings(request)
            Kubernetes(request, settings)
            system_namespaces(settings)
            config.section("runtimeConfig")
            if not config.has(PASSING) and not config.text(CLUSTER_NETWORK) and not config.sections("delegates"):
                raise config.wrong("delegates", "it is missing: at least one delegate or a clusterNetwork is needed")
            if config.text(CLUSTER_NETWORK):
                config.texts("defaultNetworks")
        except CniError as error:
            return error
        return None

    def look(self, document: dict[str, object]) -> None:
        """Take what others want to know, as far as it can be read."""
        request = Request("DEL", Section(document), {})
        settings = Settings(request, tolerant=True)
        paths = document.get("nadPaths")
        self.version = settings.config.text("cniVersion")
        self.nad_paths = tuple(str(path) for path in paths if str(path)[:1] == "/") if isinstance(paths, list) else ()
        try:
            kubernetes = Kubernetes(request, settings)
        except CniError:
            return
        self.isolation = kubernetes.isolation
        self.global_namespaces = kubernetes.global_namespaces

    def look_at_log(self, report: Report) -> None:
        """A log never stops a pod: what it cannot be told is passed over."""
        for key, known in (("logLevel", LEVELS), ("logFormat", FORMATS)):
            value = self.tree.at(self.tree.find(key)).value
            if isinstance(value, str) and value and value.lower() not in known:
                close = get_close_matches(value, known, 1)
                mend = f"did you mean {close[0]}?" if close else f"write one of {', '.join(known)}"
                message = f"{key}: {value!r} is not one of {', '.join(known)}, and the default counts"
                report.add("ignored-key", self.tree, (self.tree.find(key),), message, mend=mend)

    def look_at_delegates(self, report: Report, networks: Networks, document: dict[str, object]) -> None:
        """Each of them is a network, the first of which may go without a name."""
        config = Section(document)
        tree = self.tree
        if isinstance(named := config.value(CLUSTER_NETWORK), str) and named:
            self.named.append((named, (tree.find(CLUSTER_NETWORK),)))
            more = config.value("defaultNetworks")
            where = tree.find("defaultNetworks")
            for at, name in enumerate(more if isinstance(more, list) else []):
                if isinstance(name, str):
                    self.named.append((name, (where, at)))
            self.delegates = len(self.named)
            return
        listed = config.value("delegates")
        where = tree.find("delegates")
        version = config.value("cniVersion")
        own_name = config.value("name")
        delegates = listed if isinstance(listed, list) else []
        self.delegates = max(len(delegates), 1)
        seen = [
            networks.check(
                tree.at(where, at),
                name=own_name if at == 0 and isinstance(own_name, str) else "",
                version=version if isinstance(version, str) else "",
            )
            for at in range(len(delegates))
        ]
        versions = sorted({one.version for one in seen if one} | ({version} if isinstance(version, str) else set()))
        if len(versions) > 1:
            message = f"the configuration and its delegates speak several versions: {', '.join(versions)}"
            report.add("version-mixture", tree, (tree.find("cniVersion"),), message)
