"""The scene as text: a tree for a terminal, and mermaid for what draws that (https://mermaid.js.org)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cni_multus.cli.inspect.scene import ELSEWHERE
from cni_multus.cli.output import GREEN, RED, YELLOW, escape, paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cni_multus.cli.inspect.scene import Anchor, Box, End, Scene

_MEANT = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;", "|": "#124;", ";": "#59;"}
"""What mermaid would take for something else, in its own escapes."""


def tree(scene: Scene) -> str:
    """The node's links, each with what stands on it: other links first, then the pods' interfaces."""
    above: dict[str, list[Anchor]] = {}
    for anchor in scene.anchors:
        for name in anchor.on[:1]:
            above.setdefault(name, []).append(anchor)
    into = {name: anchor.name for anchor in scene.anchors for name in anchor.on[1:]}
    ends: dict[str, list[tuple[Box, End]]] = {}
    for box in scene.boxes:
        for end in box.ends:
            ends.setdefault(end.anchor, []).append((box, end))
    lines = [escape(scene.title)]
    roots = [anchor for anchor in scene.anchors if not anchor.on]
    apart = ends.get(ELSEWHERE, [])
    for at, anchor in enumerate(roots):
        lines += _branch(anchor, above, ends, into, "", last=at == len(roots) - 1 and not apart)
    if apart:
        lines.append("└─ on no link of the node")
        lines += _leaves(apart, "   ")
    lost = [box for box in scene.boxes if box.wrong]
    if lost:
        lines += ["", "not as recorded:", *(paint(escape(f"  {box.name}: {box.wrong}"), RED) for box in lost)]
    return "\n".join(lines) + "\n"


def _branch(
    anchor: Anchor,
    above: dict[str, list[Anchor]],
    ends: dict[str, list[tuple[Box, End]]],
    into: dict[str, str],
    indent: str,
    *,
    last: bool,
) -> Iterator[str]:
    words = [anchor.kind, "up" if anchor.up else "DOWN", *([f"mtu {anchor.mtu}"] if anchor.mtu else [])]
    words += [anchor.detail] if anchor.detail else []
    words += [f"also below {into[anchor.name]}"] if anchor.name in into else []
    text = f"{anchor.name} ({', '.join(words)}) {' '.join(anchor.addresses)}".rstrip()
    yield indent + ("└─ " if last else "├─ ") + paint(escape(text), "" if anchor.up else RED)
    deeper = indent + ("   " if last else "│  ")
    further, own = above.get(anchor.name, []), ends.get(anchor.name, [])
    for at, each in enumerate(further):
        is_last = at == len(further) - 1 and not own
        yield from _branch(each, above, ends, into, deeper, last=is_last)
    yield from _leaves(own, deeper)


def _leaves(ends: list[tuple[Box, End]], indent: str) -> Iterator[str]:
    names = max((len(box.name) for box, _ in ends), default=0)
    interfaces = max((len(end.ifname) for _, end in ends), default=0)
    for at, (box, end) in enumerate(ends):
        words = [box.name.ljust(names), end.ifname.ljust(interfaces), end.kind]
        words += [f"vlan {end.vlans}"] if end.vlans else []
        words += [" ".join(end.addresses)] if end.addresses else []
        words += [f"! {'; '.join(end.wrong)}"] if end.wrong else ["(no record has it)"] if end.unknown else []
        colour = RED if end.wrong else YELLOW if end.unknown else GREEN
        yield indent + ("└─ " if at == len(ends) - 1 else "├─ ") + paint(escape("  ".join(words)), colour)


def mermaid(scene: Scene) -> str:
    """A flowchart: a box for each link and each pod, a line for each interface."""
    lines = ["flowchart LR", f'  subgraph node["{_meant(scene.title)}"]']
    identifiers = {anchor.name: f"link{at}" for at, anchor in enumerate(scene.anchors)}
    for anchor in scene.anchors:
        told = "<br/>".join(
            [_meant(anchor.name), _meant(anchor.kind + ("" if anchor.up else ", DOWN")), *map(_meant, anchor.addresses)]
        )
        lines.append(f'    {identifiers[anchor.name]}["{told}"]')
        lines += [f"    {identifiers[name]} --- {identifiers[anchor.name]}" for name in anchor.on]
    lines.append("  end")
    wrong = []
    for at, box in enumerate(scene.boxes):
        apart = [end for end in box.ends if end.anchor not in identifiers]
        told = "<br/>".join([_meant(box.name), *(_meant(" ".join(_words(end))) for end in apart)])
        lines.append(f'  pod{at}("{told}")')
        if box.wrong or any(end.wrong for end in box.ends):
            wrong.append(f"pod{at}")
        for end in box.ends:
            if end.anchor in identifiers:
                lines.append(f'  {identifiers[end.anchor]} ---|"{_meant(" ".join(_words(end)))}"| pod{at}')
    if wrong:
        lines += ["  classDef wrong stroke:#c0262d,stroke-width:2px", f"  class {','.join(wrong)} wrong"]
    return "\n".join(lines) + "\n"


def _words(end: End) -> list[str]:
    words = [end.ifname, end.kind, *([f"vlan {end.vlans}"] if end.vlans else []), *end.addresses]
    return [*words, "(no record has it)"] if end.unknown else words


def _meant(text: str) -> str:
    return "".join(_MEANT.get(letter, letter) for letter in escape(text))
