"""`multus explain`: what an ADD would do for a pod, and why; nothing is touched."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

from cni_multus.cli.command import DONE, FAILED, FOUND, PARTIAL, Command, UsageError
from cni_multus.cli.options import add_api, add_output, add_site
from cni_multus.cli.output import GREEN, RED, TABLE, WIDE, emit, one_line, paint, warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from cni_multus.cli.explain.asked import Asked, Manifests
    from cni_multus.cli.explain.foreseeing import Outlook
    from cni_multus.cli.site import Site

IFNAME = "eth0"
NOBODY = "multus-explain"
"""The container whose attachment is foreseen: no runtime gives such an ID."""


class Explain(Command):
    """The first line is the verdict; tables, or one document, say what it is made of."""

    name = "explain"
    summary = "say what attaching a pod would do, and what would be in the way; nothing is touched"
    description = (
        "Say what an ADD would do for a pod: which networks it gets and why, in which order, by which plugins, under "
        "which names, with which addresses, and which default route is left in the end. The plan is the one that an "
        "ADD makes, by the same code. Nothing is locked, run or changed: addresses are those that would be given now."
    )
    exits = {
        DONE: "an ADD would work, as far as can be foreseen",
        FOUND: "an ADD would fail; the first line says why",
        PARTIAL: "what is said holds, but something could not be looked at",
        FAILED: "nothing could be explained",
    }
    examples = (
        "multus explain shop/web-0",
        "multus explain -f pod.yaml --nads nads/",
        "multus explain --annotation blue,red@net7 --namespace shop",
        'multus explain --conf 00-multus.conf --annotation \'[{"name": "blue", "ips": ["10.2.0.9/24"]}]\' -o json',
    )

    def declare(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "pod", metavar="POD", nargs="?", default="", help="NAME or NAMESPACE/NAME, of the API server"
        )
        group = parser.add_argument_group("in place of a pod of the API server")
        group.add_argument(
            "-f", "--file", metavar="FILE", default="", help="a manifest of a pod or a workload; - is stdin"
        )
        group.add_argument(
            "--annotation", metavar="TEXT", help="what the pod's k8s.v1.cni.cncf.io/networks says ('': nothing)"
        )
        group.add_argument("--default-network", metavar="TEXT", help="the same of v1.multus-cni.io/default-network")
        group.add_argument("--nads", metavar="FILE|DIR", default="", help="manifests that define the networks")
        group.add_argument("--conf", metavar="FILE", default="", help="the configuration of multus (that of this node)")
        parser.add_argument("-n", "--namespace", default="", help="the pod's namespace (default)")
        parser.add_argument("--ifname", default=IFNAME, help=f"the first interface ({IFNAME})")
        parser.add_argument("--netns", default="", help="a network namespace that the interfaces must have room in")
        add_output(parser)
        add_site(parser)
        add_api(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        _refuse_mixture(arguments)
        from cni_multus.cli.site import Site
        from cni_multus.cni.errors import CniError

        site = Site.of(arguments)
        for each in () if arguments.conf else site.trouble:
            warn(each)
        try:
            asked, nads = _asked(arguments)
            outlook = _outlook(arguments, site, asked, nads)
        except CniError as error:
            from cni_multus.cli.explain.foreseeing import Outlook, Problem

            asked, outlook = None, Outlook(problems=[Problem("", error)])
        who = str(asked) if asked else arguments.pod or arguments.file or "a pod"
        verdict, status = _verdict(outlook, who)
        _show(arguments.output, outlook, who, verdict)
        return status


def _refuse_mixture(arguments: argparse.Namespace) -> None:
    by_hand = arguments.annotation is not None or arguments.default_network is not None
    given = [bool(arguments.pod), bool(arguments.file), by_hand]
    if sum(given) > 1:
        raise UsageError("POD, -f and --annotation each say which pod is meant: give one of them")
    if not any(given):
        raise UsageError("which pod? give POD, -f FILE, or --annotation TEXT ('' for a pod that asks for nothing)")


def _asked(arguments: argparse.Namespace) -> tuple[Asked, Manifests | None]:
    """The pod, and the definitions of files where there are any."""
    from cni_multus.cli.explain.asked import Asked, Manifests, documents, pod_of_manifest
    from cni_multus.nads.sources import DEFAULT_NAMESPACE, KIND
    from cni_multus.selection import DEFAULT_NETWORK, NETWORKS

    manifests = list(documents(arguments.file)) if arguments.file else []
    nads = list(documents(arguments.nads)) if arguments.nads else []
    if arguments.file:
        asked = pod_of_manifest(manifests, arguments.file, arguments.namespace)
    elif arguments.pod:
        namespace, _, name = arguments.pod.rpartition("/")
        asked = Asked(namespace or arguments.namespace or DEFAULT_NAMESPACE, name)
    else:
        told = {NETWORKS: arguments.annotation, DEFAULT_NETWORK: arguments.default_network}
        annotations: dict[str, object] = {key: text for key, text in told.items() if text}
        asked = Asked(arguments.namespace or DEFAULT_NAMESPACE, "pod", annotations=annotations)
    defined = nads + [each for each in manifests if each.get("kind") == KIND]
    if not defined and not arguments.nads:
        return asked, None
    where = " and ".join(path for path in (arguments.nads, arguments.file) if path)
    return asked, Manifests(defined, where)


def _outlook(arguments: argparse.Namespace, site: Site, asked: Asked, nads: Manifests | None) -> Outlook:
    from cni_multus.cli.explain.asked import Cluster, configuration
    from cni_multus.cli.explain.foreseeing import Foreseeing
    from cni_multus.cni.config import Section
    from cni_multus.cni.request import Request
    from cni_multus.multus.kubernetes import ANNOTATIONS
    from cni_multus.multus.settings import Settings

    config = configuration(arguments.conf, site)
    if arguments.pod and not site.kubeconfig:
        raise UsageError(
            f"no API server is named that knows pod {asked}: see --kubeconfig, or give a manifest (-f) or --annotation"
        )
    runtime = {**config.section("runtimeConfig").raw, **{key: value for key, value in asked.runtime.items() if value}}
    if asked.annotations is not None:
        runtime[ANNOTATIONS] = asked.annotations
    config = Section({**config.raw, "runtimeConfig": runtime})
    request = Request(
        "ADD",
        config,
        {},
        container_id=NOBODY,
        netns=os.path.abspath(arguments.netns) if arguments.netns else "",
        ifname=arguments.ifname,
        arguments={
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": asked.namespace,
            "K8S_POD_NAME": asked.name,
            **({"K8S_POD_UID": asked.uid} if asked.uid else {}),
        },
        path=(site.bin_dir,),
    )
    settings = Settings(request)
    cluster = Cluster(request, settings, site, nads)
    arguments.closing.callback(cluster.close)
    return Foreseeing(request, settings, cluster).outlook(_pods(site))


def _pods(site: Site) -> Callable[[str], str]:
    """Tells the pod of a container by the journal, which is read when somebody asks."""

    @cache
    def known() -> dict[str, str]:
        from cni_multus.cli.inspect.records import Records

        return {each.container_id: each.pod for each in Records(site).journal() if each.pod}

    return lambda container_id: known().get(container_id, "")


def _verdict(outlook: Outlook, who: str) -> tuple[str, int]:
    """The first line, and the exit status."""
    from cni_multus.cli.inspect.notes import READ_FILES, is_forbidden
    from cni_multus.cni.errors import TryAgainLater
    from cni_multus.kube.errors import Unavailable

    if not outlook.problems:
        count = len(outlook.networks)
        unsure = [each.ifname for each in outlook.networks if not each.sure]
        known = f"; what {', '.join(unsure)} would get is not known in full" if unsure else ""
        return f"{who}: an ADD would work: {count} network{'s' if count > 1 else ''}{known}", DONE
    first = outlook.problems[0]
    at = f"{first.ifname}: " if first.ifname else ""
    if is_forbidden(first.error):
        needs = f"it takes {READ_FILES}: run it as root on the node"
        return f"{who}: it cannot be told: {at}{first.text} ({needs})", PARTIAL
    if isinstance(first.error, Unavailable):
        return f"{who}: it cannot be told: {first.text}; an ADD would fail now, and be tried again", PARTIAL
    again = ", and be tried again" if isinstance(first.error, TryAgainLater) else ""
    return f"{who}: an ADD would fail{again}: {at}{first.text}", FOUND


def _show(form: str, outlook: Outlook, who: str, verdict: str) -> None:
    from cni_multus.cli.explain.show import document, tables

    if form in (TABLE, WIDE):
        colour = RED if outlook.problems else GREEN
        sys.stdout.write(paint(one_line(verdict), colour) + "\n\n")
    emit(form, document(outlook, who, verdict), tables(outlook))
