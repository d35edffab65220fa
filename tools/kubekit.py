"""What a cluster is made of, to test against: etcd, and what Debian has of Kubernetes as source only, compiled once.

Nothing is installed: the sources, the compiler and what it writes are in a scratch directory, and gone after some
minutes; the programs stay in the user's cache, all in one directory.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.debian import Apt, NotFetched, already_kept, from_a_mirror, kept, run, unpack

# ... of Kubernetes that are compiled; most of what each consists of the first one has had compiled.
COMPONENTS = ("kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler")
RECIPE = "4"  # another number makes everybody build anew

SUITE = "bookworm"  # the last one whose source package has all of Kubernetes
SOURCE = "kubernetes"
COMPILER = ("golang-1.19-go", "golang-1.19-src")
REFLECT = "golang-github-modern-go-reflect2-dev"
ETCD_SUITE = "trixie"
ETCD = "etcd-server"  # static, so that it runs on any release

VERSION = "v1.20.2"
TREE = "k8s.io/kubernetes"
STAGING = f"{TREE}/vendor/k8s.io"
GENERATOR = f"{STAGING}/kube-openapi/cmd/openapi-gen"
DEFINITIONS = "pkg/generated/openapi"
DESCRIBED = (  # the modules whose types an API server describes
    *("api", "apiextensions-apiserver", "apimachinery", "apiserver", "client-go/pkg", "cloud-provider"),
    *("component-base", "kube-aggregator", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet"),
    "metrics",
)
TAGS = "providerless,dockerless"  # no code of public clouds, which is a third of the whole, and none of Docker

VALIDATORS = (
    "github.com/go-openapi/validate/type.go",
    "k8s.io/kube-openapi/pkg/validation/validate/type.go",
)
MISTAKEN = " || reflect.DeepEqual(reflect.Zero(reflect.TypeOf(data)), reflect.ValueOf(data))"

OVERRIDE = "MULTUS_KUBEKIT"  # a directory to use instead, for a machine without a Debian mirror
ADVICE = f"try again, or set {OVERRIDE} to a copy of the directory that `make kubekit` prints elsewhere"


class KubekitMissing(Exception):
    """The kit is not there and cannot be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Where the programs are."""

    root: Path

    @property
    def api_server(self) -> Path:
        """The kube-apiserver."""
        return self.root / "kube-apiserver"

    @property
    def kubelet(self) -> Path:
        """What runs a node's pods."""
        return self.root / "kubelet"

    @property
    def controller_manager(self) -> Path:
        """What makes pods of what people apply."""
        return self.root / "kube-controller-manager"

    @property
    def scheduler(self) -> Path:
        """What finds a node for them."""
        return self.root / "kube-scheduler"

    @property
    def etcd(self) -> Path:
        """What it keeps its objects in."""
        return self.root / "etcd"


def kubekit(*, building: bool = True) -> Kit:
    """The kit, made once, or only if it is there already; raises KubekitMissing."""
    if given := os.environ.get(OVERRIDE):
        kit = Kit(Path(given))
        if missing := [program for program in (*COMPONENTS, "etcd") if not (kit.root / program).exists()]:
            raise KubekitMissing(f"{OVERRIDE}={given} holds no {missing[0]}")
        return kit
    try:
        return Kit(kept("kubekit", make, RECIPE) if building else found())
    except NotFetched as error:
        what = f"{', '.join(COMPONENTS)} from Debian {SUITE}, or {ETCD} from {ETCD_SUITE}"
        raise KubekitMissing(f"cannot make {what} ({ADVICE}): {error}") from error


def found() -> Path:
    """The kit that is there: a test has no minutes to wait."""
    if kit := already_kept("kubekit", RECIPE):
        return kit
    raise NotFetched("it has not been made yet; run `make kubekit`")


def make(work: Path) -> str:
    """Download, compile; the name of the directory to keep the programs in."""
    programs = work / "unpacked"
    programs.mkdir()
    say("fetching the sources and a compiler")
    packages, etcd, source = from_a_mirror(work, [SUITE, ETCD_SUITE], download, [SUITE])
    for package in packages:
        unpack(package, work / "system")
    unpack(etcd, work / "etcd")
    shutil.copy2(work / "etcd/usr/bin/etcd", programs)
    build = Build(work)
    build.lay_out(source)
    say("describing all types")
    build.generate()
    for component in COMPONENTS:
        say(f"compiling {component}; the first takes two minutes, once")
        build.compile(f"{TREE}/cmd/{component}", programs / component)
    version = source.name.removesuffix(".orig.tar.gz")
    return f"{version}+{etcd.stem}".replace("%3a", ".")


def download(apt: Apt) -> tuple[list[Path], Path, Path]:
    """The packages to compile with, etcd, and the tree to be compiled."""
    compiler = [apt.package(name, SUITE) for name in (*COMPILER, REFLECT)]
    return compiler, apt.package(ETCD, ETCD_SUITE), apt.source(SOURCE)


class Build:
    """A tree of Go sources that needs neither a network nor anything of this machine."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._gopath = work / "gopath"
        self._tree = self._gopath / "src" / TREE
        goroot = work / "system/usr/lib/go-1.19"
        self._go = goroot / "bin/go"
        self._environment = {
            "CGO_ENABLED": "0",
            "GO111MODULE": "off",
            "GOCACHE": f"{work}/objects",
            "GOFLAGS": "",
            "GOPATH": str(self._gopath),
            "GOPROXY": "off",
            "GOROOT": str(goroot),
            "GOTMPDIR": str(work),
            "PATH": f"{goroot}/bin:{os.environ['PATH']}",
        }

    def lay_out(self, source: Path) -> None:
        """Unpack the tree, and mend what a newer compiler breaks."""
        self._tree.mkdir(parents=True)
        run(["tar", "-xzf", str(source), "--strip-components=1", "-C", str(self._tree)], self._work)
        # The tree's own crashes with the first custom resource where the compiler is newer than 1.17.
        reflect = "github.com/modern-go/reflect2"
        shutil.rmtree(self._tree / "vendor" / reflect)
        shutil.copytree(self._work / "system/usr/share/gocode/src" / reflect, self._tree / "vendor" / reflect)
        # And takes every empty string in one for a null: two values that hold the same are the same to it now.
        for validator in VALIDATORS:
            path = self._tree / "vendor" / validator
            text = path.read_text()
            if MISTAKEN not in text:
                raise NotFetched(f"{SOURCE} is another than it was: {validator} has no `{MISTAKEN}`")
            path.write_text(text.replace(MISTAKEN, ""))

    def generate(self) -> None:
        """Write the one file that Debian's tree lacks: the definitions of all types, as OpenAPI has them."""
        generator = self._work / "openapi-gen"
        self.compile(GENERATOR, generator)
        described = ",".join(f"{TREE}/vendor/{package}" for package in self._described())
        header = "hack/boilerplate/boilerplate.generatego.txt"
        target = ["-p", f"{TREE}/{DEFINITIONS}", "-O", "zz_generated.openapi", "-h", header, "-r", "/dev/null"]
        self._run(str(generator), "--logtostderr", "-i", described, *target)

    def compile(self, package: str, program: Path) -> None:
        """Make a program."""
        stamps = (f"{STAGING}/{module}/version.gitVersion" for module in ("component-base", "client-go/pkg"))
        flags = ["-s -w", *(f"-X {name}={VERSION}" for name in stamps)]
        self._run(str(self._go), "build", "-tags", TAGS, "-ldflags", " ".join(flags), "-o", str(program), package)

    def _described(self) -> list[str]:
        """The packages whose types say that they want a definition."""
        modules = self._tree / "staging/src"
        sources = (path for module in DESCRIBED for path in (modules / "k8s.io" / module).rglob("*.go"))
        wanting = {path.parent for path in sources if b"+k8s:openapi-gen=" in path.read_bytes()}
        return sorted(str(path.relative_to(modules)) for path in wanting)

    def _run(self, *command: str) -> None:
        run(command, self._tree, self._environment)


def say(what: str) -> None:
    """Tell whoever waits."""
    print(f"kubekit: {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        here = kubekit()
    except KubekitMissing as error:
        sys.exit(f"kubekit: {error}")
    print(here.root)
