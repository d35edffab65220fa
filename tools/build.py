"""Freeze the program, or the baseline that does nothing, unless what is there was made from the same inputs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import licences, loader, sbom
from tools.parts import parts

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "dist" / "multus" / "multus"
BASELINE = ROOT / ".cache" / "baseline" / "baseline"

CODE = ("cni_multus", "plugins", "ipam")
TOOLS = ("build", "baseline", "licences", "loader", "modules", "modules_hook", "parts", "sbom")
RECIPE = ("build.spec", "requirements.txt", *(f"tools/{name}.py" for name in TOOLS))


def inputs(program: Path) -> Iterator[Path]:
    """Every file that the frozen program depends on, in a fixed order."""
    yield from (ROOT / name for name in RECIPE)
    yield from sorted((ROOT / "tools" / "hooks").glob("*.py"))
    if program == PROGRAM:
        for package in CODE:
            yield from sorted((ROOT / package).rglob("*.py"))


def digest(program: Path) -> str:
    """A digest over names and contents of the inputs and over the interpreter that is frozen with them."""
    total = hashlib.sha256(sys.version.encode())
    for path in inputs(program):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"\n{path.relative_to(ROOT)} {content}".encode())
    return total.hexdigest()


def freeze(program: Path) -> None:
    """Run PyInstaller beside the destination and rename what it made into place: nobody meets half a program."""
    work = ROOT / "build"
    environment = {
        **os.environ,
        "PYI_LOG_LEVEL": "WARN",
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),  # stripped libraries; else they would go to the user's home
        "PYTHONNODEBUGRANGES": "1",  # line numbers are enough; columns are a tenth of what a request loads
        "PYTHONHASHSEED": "0",  # same inputs, same bytes: no random order in sets
        "SOURCE_DATE_EPOCH": "0",
    }
    arguments = ["--noconfirm", "--workpath", str(work), "--distpath", str(work / "out")]
    command = [sys.executable, "-m", "PyInstaller", *arguments, "build.spec", "--", program.name]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    made = work / "out" / program.name / program.name
    if program == PROGRAM:
        loader.add_library(made)
        loader.make_room(made)
        found = parts(made, work / "build" / "origins.json")
        licences.collect(made.parent, found)
        sbom.write(made.parent / sbom.NAME, made, found)
    for path in made.parent.rglob("*"):
        if not path.is_symlink():  # whatever this process's umask is
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    replace(program.parent, made.parent)


def replace(destination: Path, made: Path) -> None:
    """Put the directory `made` where `destination` is, which is missing for no longer than two renames take."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    old = made.with_name(f"{made.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if destination.exists():
        destination.rename(old)
    made.rename(destination)
    shutil.rmtree(old, ignore_errors=True)


def build(program: Path) -> None:
    """Make PROGRAM or BASELINE; raises CalledProcessError with PyInstaller's words on stderr."""
    work = ROOT / "build"
    work.mkdir(exist_ok=True)
    stamp = work / f"{program.name}.inputs"
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = digest(program)
        if program.exists() and stamp.exists() and stamp.read_text() == wanted:
            return
        stamp.unlink(missing_ok=True)
        print(f"build: {program.relative_to(ROOT)}", file=sys.stderr)
        freeze(program)
        stamp.write_text(wanted)


if __name__ == "__main__":
    try:
        build({"multus": PROGRAM, "baseline": BASELINE}[sys.argv[1]])
    except subprocess.CalledProcessError as error:
        sys.exit(f"build: PyInstaller failed with status {error.returncode}")
