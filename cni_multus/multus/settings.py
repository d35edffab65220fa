"""The meta-plugin's own keys of 00-multus.conf (Multus's names), read once."""

from __future__ import annotations

import os

from cni_multus.cni.config import Section
from cni_multus.cni.errors import CniError
from cni_multus.delegate import TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.cni.request import Request

CNI_DIR = "/var/lib/cni/multus"
BIN_DIR = "/opt/cni/bin"
CONF_DIR = "/etc/cni/multus/net.d"
PASSING = "multus.io/uninstalling"
"""What `multus uninstall` puts into the configuration: binDir, confDir and resultsDir of this node."""


class Settings:
    """What holds for every request; which networks there are is the plan's business."""

    __slots__ = (
        "bin_dir",
        "cni_dir",
        "conf_dir",
        "config",
        "delegate_timeout",
        "log_file",
        "log_format",
        "log_level",
        "log_options",
        "log_to_stderr",
        "nad_paths",
        "namespace",
        "readiness_file",
        "retry_delete",
    )

    def __init__(self, request: Request, *, tolerant: bool = False) -> None:
        """Read the keys; on DEL what is wrong with one counts as its absence, since DEL must not depend on it."""
        tolerant = tolerant or request.command == "DEL"
        config = _Tolerant(request.config.raw) if tolerant else request.config
        self.config = config
        self.cni_dir = directory(config, "cniDir", CNI_DIR)
        self.bin_dir = directory(config, "binDir", BIN_DIR)
        self.conf_dir = directory(config, "confDir", CONF_DIR)
        self.delegate_timeout = config.number("delegateTimeout", int(TIMEOUT), low=1, high=3600)
        self.log_file = config.text("logFile")
        self.log_format = config.text("logFormat")
        self.log_level = config.text("logLevel")
        self.log_to_stderr = config.flag("logToStderr", True)
        self.log_options = config.section("logOptions")
        self.nad_paths = tuple(_absolute(config, "nadPaths", path) for path in config.texts("nadPaths"))
        """What definitions of the API may name of this node's files, besides the plugins' own places."""
        self.readiness_file = config.text("readinessindicatorfile")
        self.retry_delete = config.flag("retryDeleteOnError")
        self.namespace = request.arguments.get("K8S_POD_NAMESPACE", "")

    def search_path(self, request: Request) -> tuple[str, ...]:
        """Where delegates are looked for: `binDir`, then the runtime's CNI_PATH."""
        return (self.bin_dir, *(part for part in request.path if part != self.bin_dir))


class _Tolerant(Section):
    """A section whose wrong values count as absent."""

    def text(self, key: str, default: str = "") -> str:
        try:
            return super().text(key, default)
        except CniError:
            return default

    def flag(self, key: str, default: bool = False) -> bool:
        try:
            return super().flag(key, default)
        except CniError:
            return default

    def number(self, key: str, default: int = 0, *, low: int = 0, high: int = 0xFFFFFFFF) -> int:
        try:
            return super().number(key, default, low=low, high=high)
        except CniError:
            return default

    def texts(self, key: str) -> tuple[str, ...]:
        try:
            return super().texts(key)
        except CniError:
            return ()

    def section(self, key: str) -> Section:
        try:
            return _Tolerant(super().section(key).raw, self.where(key))
        except CniError:
            return _Tolerant({}, self.where(key))


def directory(config: Section, key: str, default: str) -> str:
    """The absolute path at `key`; of a DEL's configuration one that is none counts as absent."""
    return _absolute(config, key, config.text(key) or default, default)


def _absolute(config: Section, key: str, path: str, default: str = "/nonexistent") -> str:
    if os.path.isabs(path):
        return os.path.normpath(path)
    if isinstance(config, _Tolerant):
        return default
    raise config.wrong(key, f"{path!r} is not an absolute path")


def pod_of(request: Request) -> str:
    """How messages name the pod: `namespace/name/uid`, or the container ID where the runtime names no pod."""
    arguments = request.arguments
    name = arguments.get("K8S_POD_NAME")
    if not name:
        return request.container_id
    return f"{arguments.get('K8S_POD_NAMESPACE', '')}/{name}/{arguments.get('K8S_POD_UID', '')}"


def blame(error: CniError, where: str) -> CniError:
    """The same error, its message led by `where`."""
    error.message = f"{where}: {error.message}"
    return error
