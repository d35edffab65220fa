"""Of pyroute2 everything for Linux, whoever imports any of it: it finds modules by their names."""

from PyInstaller.utils.hooks import collect_submodules

LEFT_OUT = ("bsd", "fixtures", "iproute.bsd", "iproute.windows")

hiddenimports = [
    name
    for name in collect_submodules("pyroute2", on_error="ignore")
    if not name.startswith(tuple(f"pyroute2.{part}" for part in LEFT_OUT))
]
