"""The file `resolvConf`, in the format of resolv.conf(5), as a result's `dns`."""

from __future__ import annotations

from cni_multus.cni.errors import IoFailure
from cni_multus.cni.result import Dns
from cni_multus.state import files


def read_dns(path: str) -> Dns:
    """Read `path`; raises IoFailure where that cannot be."""
    data = files.read(path, follow=True)
    if data is None:
        raise IoFailure(f"ipam.resolvConf: cannot read {path}: no such file")
    return parse_dns(data.decode(errors="replace"))


def parse_dns(text: str) -> Dns:
    """The last `domain` counts; `nameserver`, `search` and `options` add up over the lines."""
    dns = Dns()
    for line in text.split("\n"):
        keyword, *values = line.split() or ("",)
        if not values or line[0] in "#;":
            continue
        if keyword == "nameserver":
            dns.nameservers += (values[0],)
        elif keyword == "domain":
            dns.domain = values[0]
        elif keyword == "search":
            dns.search += tuple(values)
        elif keyword == "options":
            dns.options += tuple(values)
    return dns
