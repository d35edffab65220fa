"""The defects that killing calls, and making them fail, found in the program; `test_found.py` holds most of them."""

FOUND = (
    "A record written while the boot's name could not be read was of no namespace: DEL succeeded, and left the links.",
    "A namespace that could not be looked at (stat, ioctl) counted as gone: DEL succeeded, and left what was in it.",
    "host-device, where it could not ask for a namespace's number: DEL and GC succeeded, the device stayed in the pod.",
    "host-device, killed or refused when a virtual device was home but not yet what it was: it stayed down for ever.",
    "host-device tried once to restore a device when the kernel was out of memory, and never again.",
    "A record of which it could not be told whether it is there was none: DEL succeeded, and did nothing.",
    "GC took a record that it could not read for a damaged one, freed the addresses, and left the links in the pod.",
    "DEL would have forgotten, for want of a descriptor, the networks that only the record knows.",
    "An address whose temporary file could not be removed stayed reserved when ADD was refused, and after its DEL.",
    "A netlink answer that was missed (ENOMEM, ENOBUFS, time-out) left a link: neither roll-back nor DEL knew of it.",
    "A veth pair that was made, and then could not be looked at, stayed: neither roll-back nor DEL knew of it.",
    "A thread that could not come back from a namespace ended the process without the one JSON document.",
    "static gave a pod's address to another when the pod's namespace could not be looked at (found on the way).",
    "A virtual device whose index changed on its way into the pod was lost with a kill right then (found on the way).",
)
