"""An annotation that is not JSON as it stands: mended where only a comma is too many, else what is wrong with it."""

from __future__ import annotations

from cni_multus.cni.document import NotJson, parse
from cni_multus.cni.errors import DecodingFailure
from cni_multus.selection.positions import line_and_column, number_at, tokens, without_trailing_commas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cni_multus.selection.source import Source

_OTHER_QUOTES = "'`\u2018\u2019\u201c\u201d"


def parse_mended(source: Source) -> object:
    """The value without the trailing commas; raises DecodingFailure, which says what would be right."""
    source.text = without_trailing_commas(source.text)
    try:
        return parse(source.text.encode(), source.name())
    except NotJson as error:
        at = _offset_of_bad_value(source.text) if error.at is None else error.at
        number = number_at(source.text, at)
        named = source.name((number - 1,) if number else ())
        place = line_and_column(source.text, at)
        raise DecodingFailure(f"{named} ({place}) is not JSON: {error.why}{_advice(source.text, at)}") from None


def _offset_of_bad_value(text: str) -> int:
    """Where the first value stands that is none by itself, as NaN is not."""
    for at, token in tokens(text):
        if token[0] not in '[]{},:"':
            try:
                parse(token.encode(), "")
            except DecodingFailure:
                return at
    return 0


def _advice(text: str, at: int) -> str:
    first = text.lstrip()[0]
    if first not in '[{"':
        return "; it has '[', '{' or '\"' in it, and so is none of [namespace/]name[@interface] either"
    if first != "[":
        return '; it must be a list of objects, as in [{"name": "network-1"}, {"name": "network-2"}]'
    if text[at : at + 1] and text[at] in _OTHER_QUOTES:
        return "; texts and keys stand in double quotes"
    return "; it ends where more must follow" if not text[at:].strip() else ""
