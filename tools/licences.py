"""The licences of everything in the bundle: a list, and the texts beside it.

licenses/README                   what is bundled, under what, and how a library is replaced
licenses/multus/LICENSE           our own
licenses/<package>/...            what the package comes with
licenses/common/...               the texts that Debian's files refer to
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from tools.parts import ROOT, Part

DIRECTORY = "licenses"
COMMON = Path("/usr/share/common-licenses")
REPLACING = """
Libraries are files of their own, nothing is linked statically: whoever wants another build of one, of those under the
LGPL above all, puts it in its file's place, below _internal (sbom.cdx.json says which file is whose), in the directory
of a built program, and executes `multus install` from there. The C library and its loader, _internal/libc, go together
and are replaced together. Their sources are those of the Debian source packages that sbom.cdx.json names, unchanged
(but for the symbols that strip(1) removes), which https://snapshot.debian.org keeps.
"""


def collect(bundle: Path, parts: Iterable[Part]) -> None:
    """Fill the directory beside a program."""
    target = bundle / DIRECTORY
    target.mkdir()
    (target / "multus").mkdir()
    shutil.copyfile(ROOT / "LICENSE", target / "multus" / "LICENSE")
    lines = [f"{'multus':26} {'':24} Apache-2.0"]
    common: set[str] = set()
    for part in parts:
        if not part.texts:
            raise SystemExit(f"build: {part.name} comes without the text of its licence")
        (target / part.name).mkdir()
        for text in part.texts:
            shutil.copyfile(text, target / part.name / text.name)
            common.update(_mentioned(text))
        lines.append(f"{part.name:26} {part.version:24} {part.licence}")
    (target / "common").mkdir()
    for name in sorted(common):
        shutil.copyfile(COMMON / name, target / "common" / name)
    (target / "README").write_text("\n".join(lines) + "\n" + REPLACING)


def _mentioned(text: Path) -> set[str]:
    found = re.findall(rf"{COMMON}/([A-Za-z0-9.+-]+)", text.read_text(errors="replace"))
    return {name.rstrip(".") for name in found if (COMMON / name.rstrip(".")).is_file()}
