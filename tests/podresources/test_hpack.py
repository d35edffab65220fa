"""Header fields, as the library `hpack` writes them with everything that the format has, and as nobody should."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hpack.table import HeaderTable
from hypothesis import given
from hypothesis import strategies as st

from cni_multus.podresources.faults import Malformed
from cni_multus.podresources.hpack import TABLE, Decoder

TEXT = st.text(st.characters(codec="latin-1"), max_size=60).map(lambda text: text.encode("latin-1"))
FIELDS = st.lists(st.tuples(st.sampled_from([b"grpc-status", b"grpc-message", b":status", b"x"]), TEXT), max_size=12)


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.integers(0, TABLE)), max_size=8))
def test_what_the_library_writes_is_read(blocks: list[tuple[list[tuple[bytes, bytes]], bool, int]]) -> None:
    encoder, decoder = Encoder(), Decoder()
    for fields, is_coded, size in blocks:
        encoder.header_table_size = size
        block = encoder.encode(fields, huffman=is_coded)
        found = decoder.decode(block)
        assert {name: value for name, value in found.items() if name} == dict(fields)


def test_every_symbol_is_read() -> None:
    text = bytes(range(256))
    assert Decoder().decode(Encoder().encode([(b"grpc-message", text)], huffman=True)) == {b"grpc-message": text}


def test_the_standard_s_own_example() -> None:
    """RFC 7541, C.4.1 and C.4.2."""
    decoder = Decoder()
    first = {b":method": b"GET", b":scheme": b"http", b":path": b"/", b":authority": b"www.example.com"}
    assert decoder.decode(bytes.fromhex("8286 8441 8cf1e3c2e5f23a6ba0ab90f4ff")) == first
    second = {**first, b"cache-control": b"no-cache"}
    assert decoder.decode(bytes.fromhex("828684be 5886a8eb10649cbf")) == second
    assert decoder._size == 110


def test_the_static_table_is_the_library_s() -> None:
    table = [Decoder().decode(bytes((0x80 | at,))) for at in range(1, 62)]
    assert [pair for found in table for pair in found.items()] == list(HeaderTable.STATIC_TABLE)


def test_what_is_forgotten_cannot_be_referred_to() -> None:
    encoder, decoder = Encoder(), Decoder()
    for at in range(300):
        decoder.decode(encoder.encode([(b"name", b"%d" % at + b"x" * 100)]))
    assert len(decoder._entries) == TABLE // (4 + 103 + 32)
    decoder.decode(b"\x20")
    with pytest.raises(Malformed, match="entry 62"):
        decoder.decode(b"\xbe")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (b"\x80", "entry 0"),
        (b"\xbe", "entry 62"),
        (b"\xff\xff\xff\xff\xff\xff\xff", "without an end"),
        (b"\xff", "without an end"),
        (b"\x3f\xe2\x1f", "4097 bytes"),
        (b"\x00", "cut off"),
        (b"\x00\x05name", "cut off"),
        (b"\x00\x01n\x7f\xff\x01x", "cut off"),
        (b"\x00\x81\xff\x00", "does not end"),
        (b"\x00\x84\xff\xff\xff\xff\x00", "an end inside"),
        (b"\x00\x82\xff\xff\x00", "does not end"),
    ],
)
def test_what_is_no_block_is_refused(block: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        Decoder().decode(block)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes_are_fields_or_refused(blocks: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for block in blocks:
            decoder.decode(block)
    except Malformed:
        pass
    assert decoder._size <= TABLE
    assert decoder._size == sum(len(name) + len(value) + 32 for name, value in decoder._entries)
