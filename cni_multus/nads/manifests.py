"""Manifests in YAML, as far as definitions need it: everything is text, but for a null.

No tag makes anything, and no key takes another mapping in (`<<`): so a short file cannot become a large value.
"""

from __future__ import annotations

from cni_multus.cni.errors import InvalidNetworkConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from yaml import BaseLoader, MappingNode, ScalarNode

LARGEST = 256 << 10
"""The most bytes of one document: they are read in two to four seconds. A definition has one of them."""

MOST_SAID = 300
"""How many characters of what the parser says are passed on."""

_NULLS = ("", "~", "null", "Null", "NULL")


def parse_yaml(data: bytes, wanted: bytes, path: str) -> Iterator[object]:
    """The documents of a file that have `wanted` in them somewhere.

    Raises InvalidNetworkConfig for the first one that cannot be read, when it has given the others.
    """
    from yaml import YAMLError, load_all  # 25 ms, for nodes whose operator prefers it to JSON

    loader = _loader()
    failure: InvalidNetworkConfig | None = None
    for line, document in _split(data):
        if wanted not in document:
            continue
        if len(document) > LARGEST:
            failure = failure or InvalidNetworkConfig(
                f"{path}: the document in line {line + 1} has more than {LARGEST >> 10} KiB; JSON may have more"
            )
            continue
        try:
            # So many empty lines in front, that the parser counts as the reader of the file does.
            yield from load_all(b"\n" * line + document, loader)
        except (YAMLError, ValueError, RecursionError) as error:
            said = " ".join(str(error).split())[:MOST_SAID]
            failure = failure or InvalidNetworkConfig(f"{path} is not YAML: {said}")
    if failure:
        raise failure


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Documents, and how many lines are before each: what is wrong in one is none of its neighbours' business."""
    line = 0
    for document in _marked(data):
        yield line, document
        line += document.count(b"\n")


def _marked(data: bytes) -> Iterator[bytes]:
    begin = 0
    at = data.find(b"\n---")
    while at >= 0:
        if data[at + 4 : at + 5] in (b"", b" ", b"\t", b"\r", b"\n"):
            yield data[begin : at + 1]
            begin = at + 1
        at = data.find(b"\n---", at + 1)
    yield data[begin:]


def _loader() -> type[BaseLoader]:
    from yaml import BaseLoader
    from yaml.constructor import ConstructorError

    class Loader(BaseLoader):
        def construct_scalar(self, node: ScalarNode) -> str | None:  # type: ignore[override]
            text = super().construct_scalar(node)
            return None if node.style is None and text in _NULLS else text

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, object]:
            found = super().construct_mapping(node, deep=deep)
            if "<<" in found:
                raise ConstructorError(
                    None, None, "merging a mapping into another (<<) is not supported", node.start_mark
                )
            return {"null" if key is None else str(key): value for key, value in found.items()}

    return Loader
