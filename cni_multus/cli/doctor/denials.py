"""What SELinux, AppArmor or seccomp did not let us do, by the logs of the kernel and of auditd, as far as readable."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from cni_multus.cli.doctor.finding import ERROR, Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.doctor.patient import Patient

AUDIT, KERNEL = "/var/log/audit/audit.log", "/dev/kmsg"
_TAIL = 1 << 20
_DENIED = re.compile(r'avc:\s+denied|apparmor="DENIED"')
_PROGRAM = re.compile(r'\b(?:comm|exe|profile)="?([^" ]+)')
_SHOWN = 5


def denials(patient: Patient) -> Iterator[Finding]:
    """Lines about us."""
    lines = [line for line in (*_audit(patient), *_kernel(patient)) if _is_about_us(line)]
    if lines:
        who = "SELinux" if "avc:" in lines[-1] else "AppArmor"
        program = _PROGRAM.search(lines[-1])
        yield Finding(
            ERROR,
            f"{who} denied {program.group(1) if program else 'multus'} something, {len(lines)} times",
            lines[-_SHOWN:],
            "requests fail with 'permission denied', though root makes them",
            "ausearch -m avc -ts recent; restorecon -RF the directories of CNI, or allow it in the policy"
            if who == "SELinux"
            else "aa-status names the profile: allow what the line says, and reload it",
        )


def _is_about_us(line: str) -> bool:
    return bool(_DENIED.search(line)) and any(word in line for word in ("multus", "/cni/", "/run/netns"))


def _audit(patient: Patient) -> list[str]:
    path = patient.site.path(AUDIT)
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read(_TAIL).decode(errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _kernel(patient: Patient) -> list[str]:
    """The kernel's ring of messages, read as far as it goes and no further."""
    lines: list[str] = []
    try:
        descriptor = os.open(KERNEL, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return lines
    except OSError as error:
        patient.note(f"{KERNEL}: {error.strerror}: whether SELinux or AppArmor denied anything is not known")
        return lines
    try:
        while True:
            try:
                lines.append(os.read(descriptor, 1 << 14).decode(errors="replace").partition(";")[2].rstrip())
            except BrokenPipeError:
                continue  # overwritten meanwhile: the next one is read
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    patient.note(f"{KERNEL}: {error.strerror}")
                return lines
    finally:
        os.close(descriptor)


CHECKS = (Check("denied", "no policy of the kernel denies us anything", denials),)
