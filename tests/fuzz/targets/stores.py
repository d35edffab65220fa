"""Where addresses are kept: host-local's files, whereabouts's leases, its journal, and what the API has of it."""

from __future__ import annotations

import json
import os
from binascii import crc32
from typing import TYPE_CHECKING

from cni_multus.cli.ipam.pooldocuments import from_documents
from cni_multus.cli.ipam.portable import is_lines, parse_lines
from cni_multus.cni.addressing import Cidr, Ip
from cni_multus.cni.config import Section
from cni_multus.cni.document import parse_object
from cni_multus.cni.errors import CniError
from cni_multus.cni.request import Attachment
from cni_multus.state.leases.audit import findings
from cni_multus.state.leases.layout import Layout
from cni_multus.state.leases.record import Damaged
from cni_multus.state.leases.store import Store
from cni_multus.state.owners import Owner
from cni_multus.state.reservations import Reservations
from ipam.whereabouts.cluster.journal import Journal
from ipam.whereabouts.cluster.pools import PoolView
from ipam.whereabouts.cluster.reservations import Reservation
from ipam.whereabouts.cluster.seen import Seen
from ipam.whereabouts.cluster.slicing import Slicing
from ipam.whereabouts.flatfile import FlatFile
from ipam.whereabouts.onnode import NodeEngine
from ipam.whereabouts.pool import Pool
from tests.fuzz.sandbox import SCRATCH
from tests.fuzz.seeds import printed
from tests.fuzz.target import target
from tests.fuzz.targets.records import checked_line
from tests.fuzz.trial import unfailing

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = "00112233445566778899aabbccddeeff00112233"
MINE = Attachment("net", "c1", "net1")
SEPARATOR = b"\n--\n"


def directories() -> Iterable[bytes]:
    """An address file, what was given last, the stamp ("": as it is), a page of the index, a bitmap."""
    boot = b"0123456789abcdef"
    yield SEPARATOR.join((b"c0\r\nnet1", b"10.0.0.7", b"", b"c1@net1 10.0.0.5 1f " + boot + b"\n", b"\x20" * 8192))
    yield SEPARATOR.join((b"c2", b"10.0.0.300", b"1 " + boot + b" 1:2:3 running fresh", b"\n", b"\xff" * 64))
    yield SEPARATOR.join((b"\r\n", b"", b"", b"c1@net1 x y z\nc1@net1 10.0.0.5 zz " + boot, b""))


@target(5, 11, seeds=directories)
def hostlocal(data: bytes) -> None:
    """Files of one network, changed where nobody notices: the index stays believed, and gives nobody what is taken."""
    address, last, stamp, owners, blocks, *_ = [*data.split(SEPARATOR), b"", b"", b"", b"", b""]
    network, index = SCRATCH / "net", SCRATCH / ".multus" / "net"
    mine, taken, wanted = Owner("c1", "net1"), Ip.parse("10.0.0.5"), Ip.parse("10.0.0.6")
    with Reservations(str(SCRATCH), "net", "fuzz") as reservations:
        reservations.reserve(Owner("c0", "net1"), [taken], remember=True)
    (network / "10.0.0.5").write_bytes(address)
    (network / "last_reserved_ip.0").write_bytes(last)
    for page in (index / "owners").iterdir():
        page.write_bytes(owners)
    for block in (index / "blocks").iterdir():
        block.write_bytes(blocks)
    if stamp:
        (index / "stamp").write_bytes(stamp)
    with Reservations(str(SCRATCH), "net", "fuzz") as reservations:
        holder = reservations.holder(taken)
        reservations.last_reserved(0)
        free = reservations.find_free(4, taken.number, wanted.number)
        assert free is None or reservations.holder(free) is None, (free, holder)
        reservations.reserve(mine, [wanted], remember=True)
        assert wanted in reservations.held_by(mine)
    with Reservations(str(SCRATCH), "net", "fuzz", giving_back=True) as reservations:
        reservations.release(mine)
        assert reservations.holder(wanted) is None
        if holder is not None and holder.key not in (mine.key, Owner(mine.container_id).key):
            assert (network / "10.0.0.5").read_bytes() == address
        reservations.collect(lambda owner: False)
        assert reservations.find_free(4, taken.number, wanted.number) is not None


LEASE = {
    "addresses": ["10.0.0.5/24", "fd00::5/64"],
    "network": "net",
    "containerID": "c1",
    "ifname": "net1",
    "pod": "default/web",
    "uid": "u1",
    "claim": "",
    "node": "n1",
    "boot": "b",
    "netns": "/run/netns/x",
    "since": 1790000000.5,
    "state": "held",
    "until": 0,
    "domains": ["_default", "blue"],
    "coolDown": 60.0,
    "uptime": 12.5,
    "leaving": ["_default 10.0.0.9"],
}


@target(5, 11, seeds=lambda: [printed(LEASE), printed({**LEASE, "state": "released"}), b"00000000 {}"])
def leases(data: bytes) -> None:
    """A lease that is damaged keeps its addresses; a DEL of its attachment ends, and fsck tells."""
    store = Store(str(SCRATCH))
    layout = Layout(str(SCRATCH))
    line = b"%08x %s\n" % (crc32(data), data) if data[:1] == b"{" else data
    taken = ("_default", Ip.parse("10.0.0.5"))
    for path, content in ((layout.lease(KEY), line), (layout.domain("_default"), b"{}")):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    for path in (layout.attachment(MINE), layout.address(taken)):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(Layout.target(KEY), path)
    store.describe(KEY)
    assert store.holder_of(*taken) == KEY
    for found in findings(store):
        assert found.message
    try:
        record = store.lease(KEY)
    except Damaged:
        record = None
    if record is not None:
        json.dumps(record.lease.to_json())
        store.is_held(record)
    engine = NodeEngine(str(SCRATCH))
    engine.release(MINE)
    engine.release(MINE)
    engine.collect("net", lambda attachment: False)


def cluster_records() -> Iterable[bytes]:
    take = {
        "pool": "10.0.0.0-24",
        "base": "10.0.0.0/24",
        "address": "10.0.0.5/24",
        "reservation": "10.0.0.5",
        "uid": "u",
    }
    cluster = {"format": 1, "kubeconfig": "/etc/x", "namespace": "kube-system", "networkName": "", "exclusive": True}
    rest = {"id": "c1", "podref": "default/web", "previous": ["c0"], "look": False, "takes": [take]}
    times = {"at": 12.5, "doubt": 3, "coolDown": 60, "bootID": "b"}
    lease = {key: value for key, value in LEASE.items() if key not in ("domains", "leaving", "uptime")}
    yield printed({**lease, **cluster, **rest, **times})
    yield printed({**lease, **cluster, **rest, **times, "state": "released"})
    yield printed({"generation": 3, "range": "10.0.0.0/24", "last": "167772165", "recent": ["167772165"]})


@target(5, 6, 7, 11, seeds=cluster_records)
def clusterjournal(data: bytes) -> None:
    """The record of a holder, and what this node has seen of a pool."""
    with unfailing("looking at what was seen"):
        with Seen(str(SCRATCH), "server", "ns", "pool", "fuzz", 1.0) as seen:
            root = seen._root
        with open(f"{root}/state", "wb") as file:
            file.write(data)
        with open(f"{root}/holders", "wb") as file:
            file.write(data)
        pool = Pool(Cidr.parse("10.0.0.0/24"), 10 << 24 | 1, 10 << 24 | 254)
        with Seen(str(SCRATCH), "server", "ns", "pool", "fuzz", 1.0) as seen:
            assert seen.choose(pool, pool.first, 0) is not None
            seen.learn(None, pool.cidr)
    journal = Journal(str(SCRATCH))
    path = journal.path(KEY)
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(checked_line(data))
    with unfailing("looking through the journal"):
        assert len(journal.unreadable()) + len(list(journal.records())) == len(list(journal.keys())) - (not data)
        journal.has_records("net")
        with journal.locked(KEY, "fuzz", 1.0) as locked:
            assert locked.damage or locked.record or not data
    record = journal.record(KEY)
    if record is not None:
        json.dumps(record.to_json())
        record.settles_at(1.0)
        record.cools_until()
        assert all(isinstance(take.offset, int) for take in record.takes)


def objects() -> Iterable[bytes]:
    metadata = {"name": "10.0.0.0-24", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "7"}
    entries = {"5": {"id": "c1", "podref": "default/web", "ifname": "net1"}, "-1": {}, "x": None}
    spec = {"range": "10.0.0.0/24", "allocations": entries}
    pool = {"apiVersion": "v1", "kind": "IPPool", "metadata": metadata, "spec": spec}
    labels = {"whereabouts.multus.cni/pod-uid": "u1", "whereabouts.multus.cni/node": "n1"}
    held = {"whereabouts.multus.cni/holder": printed({**LEASE, "addresses": ["10.0.0.5/24"]}).decode()}
    reservation = {
        "kind": "OverlappingRangeIPReservation",
        "metadata": {**metadata, "name": "10.0.0.5", "labels": labels, "annotations": held},
        "spec": {"podref": "default/web", "ifname": "net1", "containerid": "c1"},
    }
    slices = [{"nodeName": "n1", "sliceRange": "10.0.0.0/26"}, {"nodeName": "", "sliceRange": "10.0.0.64/26"}]
    slicing = {
        "metadata": metadata,
        "spec": {"range": "10.0.0.0/24", "sliceSize": "/26"},
        "status": {"allocations": slices},
    }
    yield printed(pool)
    yield printed(reservation)
    yield printed({**slicing, "kind": "NodeSlicePool"})
    yield printed({"kind": "List", "items": [pool, reservation]})
    header = printed({"format": "multus-ipam", "version": 1})
    yield header + b"\n" + printed(LEASE) + b"\n"


@target(6, 7, 103, seeds=objects, words=("10.0.0.0/24", "whereabouts.multus.cni/holder", "allocations", "/26"))
def pools(data: bytes) -> None:
    """The objects of whereabouts in the API, and the documents that `multus ipam import` reads."""
    if is_lines(data):
        parse_lines(data, "the file")
    document = parse_object(data, "the answer")
    with unfailing("a reservation, or a list of slices"):
        reservation = Reservation.parse(document)
        str(reservation)
        pool = Pool(Cidr.parse("10.0.0.0/24"), 10 << 24 | 1, 10 << 24 | 254)
        pool.slice_size = 26
        slicing = Slicing.parse(document)
        slicing.find_own("n1", pool)
        slicing.free(pool)
        slicing.holders(pool)
        assert len(slicing.refilled(pool).entries) <= len(slicing.entries) + 4
        assert all(slicing.is_current(entry) in (True, False) for entry in slicing.entries)
    try:
        view = PoolView.parse(document)
        assert all(
            view.ip(offset) is None or view.base.contains(view.ip(offset) or view.base.ip) for offset in view.entries
        )
    except CniError as error:
        assert error.code == 103
    for portable in from_documents([document], network="net", what="the file"):
        portable.why_incomplete()
        json.dumps(portable.to_json())


def flat_files() -> Iterable[bytes]:
    yield printed(
        {
            "datastore": "kubernetes",
            "kubernetes": {"kubeconfig": "/etc/x", "namespace": "kube-system"},
            "log_level": "debug",
            "range": "10.0.0.0/24",
            "exclude": ["10.0.0.0/28"],
            "node_slice_size": "/26",
        }
    )


@target(6, 7, 11, seeds=flat_files, words=("dataDir", "ipRanges", "range_start"))
def flatfile(data: bytes) -> None:
    """What is no JSON is waited for, half a second: somebody may be writing it."""
    try:
        parse_object(data, "the file")
    except CniError:
        return
    path = SCRATCH / "whereabouts.conf"
    path.write_bytes(data)
    ipam = Section({"type": "whereabouts", "range": "", "kubernetes": {"kubeconfig": ""}}, "ipam")
    found = FlatFile.read(ipam, (str(path),))
    found.explain(CniError("x"))
    assert found.ipam.text("type") == "whereabouts"
