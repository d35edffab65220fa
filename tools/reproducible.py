"""Build the program once more, elsewhere and under other circumstances, and compare: the same bytes, or which differ.

The other build has another directory, another virtual environment, other times on its files, another locale, time zone
and umask, and no caches. The image's archive is written of both and compared as well.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import image
from tools.build import PROGRAM, ROOT, build, digest

PLACE = ROOT / ".cache" / "reproducible"
ELSEWHERE = PLACE / "some where" / "else"
YESTERYEAR = 1_000_000_000
CIRCUMSTANCES = {"LC_ALL": "POSIX", "TZ": "Asia/Kathmandu", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


def copy() -> None:
    """What is under version control, as it is in the working tree, and the virtual environment under another path."""
    shutil.rmtree(PLACE, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (ELSEWHERE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, ELSEWHERE / name)
            os.utime(ELSEWHERE / name, (YESTERYEAR, YESTERYEAR))
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / ".venv", ELSEWHERE / ".venv", symlinks=True, ignore=compiled)


def build_elsewhere() -> Path:
    """The program of the copy."""
    subprocess.run(
        [ELSEWHERE / ".venv" / "bin" / "python", "-m", "tools.build", PROGRAM.name],
        cwd=ELSEWHERE,
        env={"PATH": os.environ["PATH"], **CIRCUMSTANCES},
        umask=0o077,
        check=True,
    )
    return ELSEWHERE / PROGRAM.relative_to(ROOT)


def differences(one: Path, other: Path) -> list[str]:
    """The names of files that are not the same in both directories: content, kind, or who may do what."""
    trees = [{path.relative_to(top) for path in top.rglob("*")} for top in (one, other)]
    found = trees[0] ^ trees[1]
    found |= {name for name in trees[0] & trees[1] if not _is_same(one / name, other / name)}
    return sorted(map(str, found))


def _is_same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    if one.lstat().st_mode != other.lstat().st_mode:
        return False
    return one.is_dir() or one.read_bytes() == other.read_bytes()


def archive(program: Path, place: Path) -> bytes:
    """The image of a program."""
    image.lay_out(place / "root", program)
    image.write_archive(place / "image.tar", place / "root")
    return (place / "image.tar").read_bytes()


def main() -> None:
    """Say what differs, and end with status 1 if anything does."""
    build(PROGRAM)
    copy()
    try:
        other = build_elsewhere()
        if digest(PROGRAM) != (ELSEWHERE / "build" / f"{PROGRAM.name}.inputs").read_text():
            sys.exit("reproducible: the sources changed in between; try again")
        found = differences(PROGRAM.parent, other.parent)
        if archive(PROGRAM, PLACE / "here") != archive(other, PLACE / "there"):
            found.append("the image's archive")
        files = sum(path.is_file() for path in PROGRAM.parent.rglob("*"))
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)
    for name in found:
        print(f"differs: {name}")
    if found:
        sys.exit(1)
    print(f"reproducible: {files} files and the image's archive are the same, byte for byte")


if __name__ == "__main__":
    main()
