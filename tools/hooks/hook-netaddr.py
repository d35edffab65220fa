"""Of netaddr the registers as well: who has which addresses, and which MACs."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("netaddr", filter=lambda name: ".tests" not in name)
datas = collect_data_files("netaddr", excludes=["**/tests"])
