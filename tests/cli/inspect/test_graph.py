"""The picture: well formed, drawn by a renderer, and readable for one pod and for a hundred."""

from __future__ import annotations

import re
import struct
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import resvg_py

from cni_multus.cli.inspect.picture import picture
from cni_multus.cli.inspect.scene import ELSEWHERE, ROUTED, Anchor, Box, End, Scene
from cni_multus.cli.inspect.sketch import mermaid, tree
from tests.cli.inspect.networks import primary, red

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.inspect.conftest import Inspected

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "a\033[31m\n<script>&\"'`;|]]>\udcff"


def scene_of(count: int) -> Scene:
    anchors = [
        Anchor("ens5", "device", up=True, mtu=1500, addresses=["192.0.2.7/24"]),
        Anchor("ens6", "device", up=False, mtu=9000),
        Anchor("bond0", "bond", up=True, mtu=9000, on=["ens6"], level=1),
        Anchor("bond0.100", "vlan", up=True, mtu=9000, detail="VLAN 100", on=["bond0"], level=2),
        Anchor("cni0", "bridge", up=True, mtu=1500, addresses=["10.1.0.1/16"]),
        Anchor(ROUTED, "routes", up=True),
    ]
    boxes = []
    for at in range(count):
        ends = [End("eth0", "bridge", "cni0", [f"10.1.0.{at + 2}/16"], "primary", port=f"veth{at}")]
        if at % 2 == 0:
            ends.append(End("net1", "macvlan", "ens5", [f"10.2.0.{at}/24", f"fd00::{at}/64"], "blue/storage"))
        if at % 5 == 0:
            ends.append(End("net2", "ipvlan", "bond0.100", [], "red", wrong=["it is down"]))
        if at % 7 == 3:
            ends += [End("tun0", "tun", ELSEWHERE, ["172.16.0.1/30"], unknown=True), End("ptp0", "ptp", ROUTED, [])]
        name = f"namespace-{at}/a-deployment-with-a-name-that-is-long-{at:010d}"
        boxes.append(Box(name, f"/run/netns/{at}", "its namespace is gone" if at == 8 else "", ends))
    return Scene(f"node-a: {count} pods", anchors, boxes, 2)


def rectangles(root: ET.Element) -> Iterator[tuple[float, float, float, float]]:
    """Left, top, right and lower edge of every box but the one behind the node's links."""
    for each in root.iter(f"{SVG}rect"):
        if each.get("rx") and each.get("fill") != "#f5f7fa":
            x, y, wide, high = (float(each.attrib[key]) for key in ("x", "y", "width", "height"))
            yield x, y, x + wide, y + high


def pieces(root: ET.Element) -> Iterator[tuple[float, float, float, float]]:
    """Every straight piece of a line that leads to pods."""
    for each in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in each.attrib["points"].split()]
        for (x, y), (to_x, to_y) in pairwise(points):
            yield min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y)


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and the raw lines of a PNG."""
    wide, high = struct.unpack(">II", png[16:24])
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return wide, high, zlib.decompress(data)


@pytest.mark.parametrize("count", [0, 1, 12, 100])
def test_boxes_are_apart_and_no_line_crosses_one(count: int) -> None:
    root = ET.fromstring(picture(scene_of(count)))
    boxes = list(rectangles(root))
    wide, high = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(0 <= left < right <= wide and 0 <= top < low <= high for left, top, right, low in boxes)
    for at, (left, top, right, low) in enumerate(boxes):
        for other in boxes[at + 1 :]:
            assert other[0] >= right or other[2] <= left or other[1] >= low or other[3] <= top
    for left, top, right, low in pieces(root):
        assert left == right or top == low, "a line is neither level nor upright"
        for box in boxes:
            inside = left < box[2] - 0.1 and right > box[0] + 0.1 and top < box[3] - 0.1 and low > box[1] + 0.1
            assert not inside, (left, top, right, low, box)
    assert wide < 2.6 * max(high, 400)


def test_texts_stay_in_their_boxes() -> None:
    root = ET.fromstring(picture(scene_of(100)))
    for group in root.iter(f"{SVG}g"):
        [box] = rectangles(group)
        for text in group.iter(f"{SVG}text"):
            shown = "".join(part for part in (text.text, *(each.tail for each in text)) if part)
            size = float(text.get("font-size", "12"))
            assert box[0] < float(text.attrib["x"])
            assert float(text.attrib["x"]) + len(shown) * size * 0.602 <= box[2] + 1, shown


@pytest.mark.parametrize("count", [1, 100])
def test_it_is_drawn(count: int) -> None:
    wide, high, raw = pixels(bytes(resvg_py.svg_to_bytes(svg_string=picture(scene_of(count)))))
    assert wide > 600
    assert high > 300
    assert len(set(raw)) > 64  # not one colour


def test_names_from_outside_are_only_text() -> None:
    scene = scene_of(2)
    scene.title = scene.boxes[0].name = scene.boxes[0].ends[0].ifname = scene.anchors[0].name = HOSTILE
    scene.boxes[0].ends[0].anchor, scene.boxes[0].wrong = HOSTILE, HOSTILE
    root = ET.fromstring(picture(scene))
    assert not list(root.iter(f"{SVG}script"))
    flowchart = mermaid(scene)
    assert "<script>" not in flowchart
    assert not re.search(r'\["[^"]*"[^]]', flowchart)
    for text in (picture(scene), flowchart, tree(scene)):
        assert "\033" not in text
        text.encode()


def test_a_node_is_drawn_as_a_tree(node: Inspected) -> None:
    node.attach("web-0", primary(node), red(node))
    ended = node.inspect("--graph", "text")
    lines = [line.rstrip() for line in ended.stdout.splitlines()]
    assert lines[0].endswith(": 1 pod, 2 interfaces")
    assert lines[1:] == [
        "├─ cni0 (bridge, up, mtu 1500) 10.1.0.1/24",
        "│  └─ blue/web-0  eth0  bridge  10.1.0.2/24",
        "└─ up0 (veth, up, mtu 1500)",
        "   └─ blue/web-0  net1  macvlan  10.2.0.2/24",
    ]


def test_a_node_is_drawn_for_mermaid_and_as_svg(node: Inspected) -> None:
    node.attach("web-0", primary(node), red(node))
    flowchart = node.inspect("web-0", "--graph", "mermaid").stdout
    assert flowchart.startswith("flowchart LR\n")
    assert '|"net1 macvlan 10.2.0.2/24"| pod0' in flowchart
    drawn = node.inspect("--graph", "svg").stdout
    assert "10.2.0.2/24" in "".join(ET.fromstring(drawn).itertext())
