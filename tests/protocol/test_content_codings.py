"""RFC 9110 section 8.4, RFC 1950 to 1952: what a body stands for, within a limit, however it is sent and encoded."""

import gzip
import zlib

import pytest

from mcp_oauth2_deps.protocol.content_codings import BodyError, body_decoder

LIMIT = 64 * 1024
TEXT = b'{"keys": [' + b'{"kid": "a"}, ' * 20 + b"{}]}"
FLOOD = b" " * (10 * 1024 * 1024)


def bare_deflate(text, **options):
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS, **options)
    return stream.compress(text) + stream.flush()


def with_dictionary(text):
    stream = zlib.compressobj(zdict=b'{"keys": [')
    return stream.compress(text) + stream.flush()


ENCODERS = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
ENCODED = [pytest.param(coding, encode, id=coding or "none") for coding, encode in ENCODERS.items()]
ENCODED.append(pytest.param("deflate", bare_deflate, id="bare deflate"))
INFLATED = ENCODED[1:]


def decode(coding, body, step=None, limit=LIMIT):
    decoder = body_decoder(coding, limit)
    for start in range(0, len(body), step or max(len(body), 1)):
        decoder.feed(body[start : start + (step or len(body))])
    return decoder.finish()


@pytest.mark.parametrize("step", [1, 2, 3, 1000, None])
@pytest.mark.parametrize(("coding", "encode"), ENCODED)
def test_a_body_is_what_was_encoded_however_it_is_cut(coding, encode, step):
    assert decode(coding, encode(TEXT), step) == TEXT


@pytest.mark.parametrize(("coding", "encode"), ENCODED)
def test_an_empty_text_is_one(coding, encode):
    assert decode(coding, encode(b"")) == b""


@pytest.mark.parametrize("coding", ["gzip", "GZIP", " x-gzip ", "identity, gzip", "gzip,", "identity,gzip,identity"])
def test_rfc9110_8_4_1_3_gzip_has_two_names_in_any_case_and_identity_is_none(coding):
    assert decode(coding, gzip.compress(TEXT)) == TEXT


@pytest.mark.parametrize("coding", ["", "identity", "Identity", " , "])
def test_without_a_coding_the_body_is_itself(coding):
    assert decode(coding, TEXT) == TEXT


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "x-deflate", "gzip;q=1", "*"])
def test_another_coding_is_refused(coding):
    with pytest.raises(BodyError, match="has another content coding than gzip or deflate, though none was asked for"):
        body_decoder(coding, LIMIT)


@pytest.mark.parametrize("coding", ["gzip, gzip", "deflate, gzip", "gzip, identity, br"])
def test_several_codings_are_refused(coding):
    with pytest.raises(BodyError, match="is encoded more than once"):
        body_decoder(coding, LIMIT)


@pytest.mark.parametrize("step", [1, None])
def test_rfc1952_2_2_several_members_are_one_text(step):
    assert decode("gzip", b"".join(map(gzip.compress, (TEXT, b"", TEXT))), step) == TEXT + TEXT


@pytest.mark.parametrize("tail", [b"x", b"\0", b"\0" * 512, TEXT, b"\x1f\x8bx"])
@pytest.mark.parametrize("step", [1, None])
def test_what_follows_the_last_member_and_is_none_is_refused(tail, step):
    with pytest.raises(BodyError, match=r"has a damaged content coding|ends before its content coding does"):
        decode("gzip", gzip.compress(TEXT) + tail, step)


@pytest.mark.parametrize("encode", [zlib.compress, bare_deflate])
@pytest.mark.parametrize("step", [1, None])
def test_what_follows_deflate_is_refused(encode, step):
    with pytest.raises(BodyError, match="goes on after the end of its content coding"):
        decode("deflate", encode(TEXT) + b"x", step)


@pytest.mark.parametrize(("coding", "encode"), INFLATED)
def test_a_body_that_is_cut_off_anywhere_is_refused(coding, encode):
    body = encode(TEXT)
    for length in range(len(body)):
        with pytest.raises(BodyError, match="ends before its content coding does"):
            decode(coding, body[:length])


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", TEXT),
        ("gzip", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT)[:-8] + b"\0" * 8),
        ("deflate", TEXT),
        ("deflate", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)[:-4] + b"\0" * 4),
        ("deflate", with_dictionary(TEXT)),
    ],
    ids=["plain", "zlib", "wrong sum", "plain", "gzip", "wrong sum", "preset dictionary"],
)
def test_a_body_that_is_not_what_its_coding_says_is_refused(coding, body):
    with pytest.raises(BodyError, match="has a damaged content coding") as caught:
        decode(coding, body)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("coding", "encode"), ENCODED)
def test_the_limit_is_kept_to_the_byte(coding, encode):
    assert len(decode(coding, encode(b" " * LIMIT))) == LIMIT
    with pytest.raises(BodyError, match="is larger than 64 KiB"):
        decode(coding, encode(b" " * (LIMIT + 1)))


@pytest.mark.parametrize(("coding", "encode"), INFLATED)
def test_what_is_sent_counts_too(coding, encode):
    """Text that cannot be compressed, and coding without any text: neither may be longer than the limit."""
    stored = encode(b"")
    for step in (1, None):
        assert decode(coding, stored, step, limit=len(stored)) == b""
        with pytest.raises(BodyError, match="is larger than"):
            decode(coding, stored, step, limit=len(stored) - 1)


def test_rfc1950_2_2_only_both_halves_of_a_header_make_one():
    """Bare deflate whose first bytes have the sum of a header, but not its method."""
    texts = (str(number).encode() for number in range(1000))
    text = next(text for text in texts if int.from_bytes(bare_deflate(text)[:2], "big") % 31 == 0)
    assert decode("deflate", bare_deflate(text)) == text


@pytest.mark.parametrize(("coding", "encode"), INFLATED)
def test_a_bomb_costs_no_more_memory_than_the_limit(coding, encode):
    import tracemalloc

    bomb = encode(FLOOD)
    assert len(bomb) < LIMIT
    tracemalloc.start()
    try:
        with pytest.raises(BodyError, match="is larger than 64 KiB"):
            decode(coding, bomb)
        assert tracemalloc.get_traced_memory()[1] < 8 * LIMIT
    finally:
        tracemalloc.stop()
