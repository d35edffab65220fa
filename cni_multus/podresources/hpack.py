"""Reading the header fields of HTTP/2 (HPACK, RFC 7541)."""

from __future__ import annotations

from cni_multus.podresources.faults import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    Field = tuple[bytes, bytes]

TABLE = 4096
"""The size of the dynamic table, in bytes: what a peer may use that was told nothing else."""

_STATIC = (
    b":authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 :status=204 "
    b":status=206 :status=304 :status=400 :status=404 :status=500 accept-charset accept-encoding=gzip,~deflate "
    b"accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control "
    b"content-disposition content-encoding content-language content-length content-location content-range content-type "
    b"cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since "
    b"last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh "
    b"retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate"
).split()
"""The entries that everybody has, from the first (RFC 7541, appendix A); `~` is a space."""
_ENTRY = 32
"""What an entry counts for beside its bytes (RFC 7541, 4.1)."""

_LENGTHS = (
    "ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBB"
    "BABCBAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVV"
    "XWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ"
)
"""How many bits each symbol's code has (RFC 7541, appendix B), A for 5, B for 6 and so on.

The codes follow from that: they are given in the order of their length, and of the symbols among equals.
"""
_END = 256
_codes: dict[int, int] = {}
"""Symbols by their code, with a 1 before it that tells 0 from 00; made when the first one is needed."""


class Decoder:
    """What one end of a connection remembers of the fields that it received."""

    __slots__ = ("_entries", "_limit", "_size")

    def __init__(self) -> None:
        self._entries: list[Field] = []
        self._size = 0
        self._limit = TABLE

    def decode(self, block: bytes) -> dict[bytes, bytes]:
        """The fields of a block; of those with the same name, the last one."""
        found: dict[bytes, bytes] = {}
        at = 0
        while at < len(block):
            first = block[at]
            if first & 0xE0 == 0x20:
                size, at = _integer(block, at, 5)
                self._resize(size)
                continue
            if first & 0x80:
                index, at = _integer(block, at, 7)
                name, value = self._entry(index)
            else:
                is_kept = first & 0x40
                index, at = _integer(block, at, 6 if is_kept else 4)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _string(block, at)
                value, at = _string(block, at)
                if is_kept:
                    self._keep(name, value)
            found[name] = value
        return found

    def _entry(self, index: int) -> Field:
        if 0 < index <= len(_STATIC):
            name, _, value = _STATIC[index - 1].replace(b"~", b" ").partition(b"=")
            return name, value
        if 0 < index - len(_STATIC) <= len(self._entries):
            return self._entries[len(_STATIC) - index]
        raise Malformed(f"a header field refers to entry {index}, which there is none of")

    def _keep(self, name: bytes, value: bytes) -> None:
        self._entries.append((name, value))
        self._size += len(name) + len(value) + _ENTRY
        self._forget()

    def _resize(self, size: int) -> None:
        if size > TABLE:
            raise Malformed(f"its table of header fields shall have {size} bytes, more than was agreed on")
        self._limit = size
        self._forget()

    def _forget(self) -> None:
        while self._size > self._limit:
            name, value = self._entries.pop(0)
            self._size -= len(name) + len(value) + _ENTRY


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """A number that begins in the last `bits` of a byte (RFC 7541, 5.1), and where it ends."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in (0, 7, 14, 21):
        if at >= len(block):
            break
        value += (block[at] & 0x7F) << shift
        at += 1
        if block[at - 1] < 0x80:
            return value, at
    raise Malformed("a header field has a number without an end")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    if at >= len(block):
        raise Malformed("a header field is cut off")
    is_coded = block[at] & 0x80
    size, at = _integer(block, at, 7)
    text = block[at : at + size]
    if len(text) < size:
        raise Malformed("a header field is cut off")
    return (_uncode(text) if is_coded else text), at + size


def _uncode(text: bytes) -> bytes:
    """A string in Huffman's code (RFC 7541, 5.2)."""
    codes = _codes or _make_codes()
    found = bytearray()
    read = 1
    for byte in text:
        for shift in (7, 6, 5, 4, 3, 2, 1, 0):
            read = read << 1 | byte >> shift & 1
            symbol = codes.get(read)
            if symbol is not None:
                if symbol == _END:
                    raise Malformed("a header field has an end inside")
                found.append(symbol)
                read = 1
    if read & (read + 1) or read > 0xFF:
        raise Malformed("a header field does not end where its code does")
    return bytes(found)


def _make_codes() -> dict[int, int]:
    made: dict[int, int] = {}
    code, before = 0, 0
    for bits, symbol in sorted((ord(letter) - 60, symbol) for symbol, letter in enumerate(_LENGTHS)):
        code <<= bits - before
        made[1 << bits | code] = symbol
        code, before = code + 1, bits
    _codes.update(made)  # at once, for the sake of other threads
    return made
