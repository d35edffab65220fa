"""The DEL that never came, for a sandbox on record: what a runtime would send, and this program answers."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

from cni_multus.cli.inspect import kernel
from cni_multus.cni.conversation import hold
from cni_multus.cni.errors import CniError, IoFailure
from cni_multus.multus.verbs import Multus
from cni_multus.state.journal import Journal

if TYPE_CHECKING:
    from cni_multus.cli.doctor.patient import Patient
    from cni_multus.cli.inspect.sandbox import Sandbox


def delete(patient: Patient, sandbox: Sandbox) -> bool:
    """Detach it by its record; False where it is gone, or lives, by now."""
    known = sandbox.known
    record = Journal(patient.site.cni_dir).find(known.container_id, known.ifname) if known else None
    if record is None or known is None or known.record is None or record.created != known.record.created:
        return False
    if record.boot == kernel.running_boot() and kernel.identity(sandbox.netns) == (record.netns_id or "unknown"):
        return False
    config = {**patient.site.config.raw, "cniDir": patient.site.cni_dir, "type": "multus"}
    config.setdefault("name", "multus-cni-network")
    config.setdefault("cniVersion", "1.1.0")
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "CNI_COMMAND": "DEL",
        "CNI_CONTAINERID": record.container_id,
        "CNI_NETNS": "",
        "CNI_IFNAME": record.ifname,
        "CNI_PATH": patient.site.bin_dir,
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in record.arguments.items()),
    }
    told = BytesIO()
    if hold(Multus, environment, BytesIO(json.dumps(config).encode()), told, BytesIO()) != 0:
        raise IoFailure(f"DEL of {sandbox.pod} failed: {_message(told.getvalue())}")
    return True


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["msg"])
    except (ValueError, KeyError, CniError):
        return answer[:300].decode(errors="replace")
