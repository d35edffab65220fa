"""What a frozen program is made of: whose files are in it, of which version and under which licence."""

import hashlib
import json
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from urllib.parse import quote

from tools import loader, modules

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = Path("/usr/share/doc")

LICENCES = {
    "libbz2-1.0": "bzip2-1.0.6",
    "libc6": "LGPL-2.1-or-later",
    "libexpat1": "MIT",
    "libffi8": "MIT",
    "libgcc-s1": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "liblzma5": "LicenseRef-public-domain",
    "libpython3.11": "Python-2.0.1",
    "libpython3.11-minimal": "Python-2.0.1",
    "libpython3.11-stdlib": "Python-2.0.1",
    "libsqlite3-0": "blessing",
    "libssl3": "Apache-2.0",
    "libuuid1": "BSD-3-Clause",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "netaddr": "BSD-3-Clause",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    "pyyaml": "MIT",
    "rich": "MIT",
    "shtab": "Apache-2.0",
    "zlib1g": "Zlib",
}
"""As SPDX expressions, where the package does not say it in that form."""


@dataclass(frozen=True)
class Part:
    """One package: what it is called where it comes from, its licence, the licence's texts, and files of it here."""

    name: str
    version: str
    purl: str
    licence: str
    texts: tuple[Path, ...]
    supplier: str
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 by name in the bundle, of libraries alone."""
    archives: tuple[str, ...] = ()
    """SHA-256 of the archives that requirements.txt lets it be installed from."""


class Unlicensed(SystemExit):
    """Nobody has said what licence a package has."""


def parts(program: Path, origins: Path) -> list[Part]:
    """Everything in the bundle that is not our own; `origins` says where PyInstaller has libraries from."""
    return sorted([*python_parts(program), *system_parts(program, origins)], key=lambda part: part.purl)


def python_parts(program: Path) -> Iterator[Part]:
    """The bootloader, and the packages whose modules are in the bundle."""
    bundle = program.parent / "_internal"
    owners = packages_distributions()
    places = [bundle / modules.OPERATORS, bundle / modules.EXTENSIONS]
    packages = {path.name.partition(".")[0] for place in places if place.is_dir() for path in place.iterdir()}
    names = {"pyinstaller"}
    for package in packages - sys.stdlib_module_names:
        names.update(owners.get(package, ()))
    for name in names:
        yield _of_pypi(distribution(name))


def system_parts(program: Path, origins: Path) -> Iterator[Part]:
    """The interpreter, and the C libraries: what the distribution has, by its packages."""
    files: defaultdict[str, dict[str, str]] = defaultdict(dict)
    bundle = program.parent / "_internal"
    for target, source in _libraries(program, json.loads(origins.read_text())):
        owner = _owner(Path(source))
        if owner:
            files[owner][target] = hashlib.sha256((bundle / target).read_bytes()).hexdigest()
    for name in ("os.py", "json/decoder.py"):
        files[_owner(Path(sysconfig.get_path("stdlib")) / name)].update()
    for package, found in files.items():
        yield _of_debian(package, found) if package else _unpackaged()


def _libraries(program: Path, origins: dict[str, str]) -> Iterator[tuple[str, str]]:
    for target, source in origins.items():
        if "site-packages" not in source and (program.parent / "_internal" / target).is_file():
            yield target, source
    for path in loader.system_libraries(program):
        if loader.PART.fullmatch(path.name):
            yield f"libc/{path.name}", str(path)


def _of_pypi(found: Distribution) -> Part:
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    return Part(
        name,
        found.version,
        f"pkg:pypi/{name}@{quote(found.version)}",
        str(found.metadata["License-Expression"]) if "License-Expression" in found.metadata else _licence(name),
        tuple(
            Path(str(file.locate()))
            for file in found.files or ()
            if ".dist-info" in file.parts[0] and re.match(r"LICEN[CS]E|COPYING|NOTICE", file.name)
        ),
        "PyPI",
        archives=_archives(name),
    )


def _archives(name: str) -> tuple[str, ...]:
    pinned = (ROOT / "requirements.txt").read_text()
    found = re.search(rf"^{re.escape(name)}==.*\n((?:    --hash=.*\n)*)", pinned, re.MULTILINE)
    return tuple(re.findall(r"sha256:([0-9a-f]{64})", found[1])) if found else ()


def _of_debian(package: str, files: dict[str, str]) -> Part:
    form = "${Version} ${Architecture} ${source:Package} ${source:Version}"
    version, architecture, source, upstream = _query("--show", f"--showformat={form}", package).split()
    name = package.partition(":")[0]
    more = f"arch={architecture}&distro=debian-12&upstream={quote(f'{source}@{upstream}', safe='')}"
    return Part(
        name,
        version,
        f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?{more}",
        _licence(name),
        (DOCUMENTS / name / "copyright",),
        "Debian",
        files,
    )


def _unpackaged() -> Part:
    """An interpreter that no package brought."""
    version = ".".join(map(str, sys.version_info[:3]))
    text = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    return Part("python", version, f"pkg:generic/python@{version}", "Python-2.0.1", (text,), "this machine")


def _owner(path: Path) -> str:
    """The package that brought a file, by any of the names that it has with /lib and /usr/lib being the same."""
    for name in {path, path.resolve(), Path(str(path).removeprefix("/usr")), Path(f"/usr{path}")}:
        if found := _query("--search", str(name)):
            return found.partition(": ")[0]
    return ""


def _query(*arguments: str) -> str:
    done = subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _licence(name: str) -> str:
    if name not in LICENCES:
        raise Unlicensed(f"build: {name} is in the bundle: say in tools/parts.py what licence it has")
    return LICENCES[name]
