"""Whatever an issuer sends, the event loop goes on serving requests: no step that reads it takes longer than 20 ms."""

import asyncio
import gzip
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from raw_issuer import Certificate, longest_step, raw_issuer, tunnelling_proxy

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import MAX_DOCUMENT_BYTES, Document, HTTPDocuments

# Seconds, the promise. What is measured is below half of it, so that a slower machine keeps it too.
LONGEST = 0.02
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
MANY = 24_000
TOO_MANY_LINES = "its answer has more than 256 lines of interim responses, header fields or trailers"
TOO_MANY_PIECES = "its answer comes in too many small pieces"
# Made once, because it takes the time of some runs.
BOMB, EMPTY_MEMBERS = gzip.compress(b" " * 30_000_000, 9), gzip.compress(b"") * 26_000


def forever(start, piece):
    yield start
    while True:
        yield piece


def sized(body, *fields):
    return [HEAD, *fields, b"content-length: %d\r\n\r\n" % len(body), body]


def filled(unit, size=MAX_DOCUMENT_BYTES - 100):
    return b'{"k": [' + unit * (size // len(unit)) + b"0]}"


FLOODS = {
    "chunks of one byte": (lambda: forever(CHUNKED, b"1\r\n \r\n" * 20_000), TOO_MANY_PIECES),
    "chunks with extensions": (lambda: forever(CHUNKED, (b"1;" + b"x" * 200 + b"\r\n \r\n") * 10_000), TOO_MANY_PIECES),
    "100 Continue": (lambda: forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4000), TOO_MANY_LINES),
    "103 Early Hints": (lambda: forever(b"", (b"HTTP/1.1 103 Early Hints\r\n" + b"a:\r\n" * 90 + b"\r\n") * 200), TOO_MANY_LINES),
    "cookies": (lambda: sized(b"{}", b"set-cookie: c=v\r\n" * 4000), TOO_MANY_LINES),
    "short header fields": (lambda: sized(b"{}", b"a:\r\n" * MANY), TOO_MANY_LINES),
    "folded header field": (lambda: sized(b"{}", b"x: a\r\n" + b" a\r\n" * MANY), TOO_MANY_LINES),
    "trailers": (lambda: [CHUNKED, b"2\r\n{}\r\n0\r\n", b"a:\r\n" * MANY, b"\r\n"], TOO_MANY_LINES),
    "a header field without an end": (lambda: forever(HEAD + b"x: ", b"a" * 65536), "the exchange failed (RemoteProtocolError)"),
    "a bomb": (lambda: sized(BOMB, b"content-encoding: gzip\r\n"), "its answer is larger than 512 KiB"),
    "empty members": (
        lambda: sized(EMPTY_MEMBERS, b"content-encoding: gzip\r\n"),
        "the answer is not one JSON object with unique member names, or has more than 20000 names and values",
    ),
}


@pytest.fixture
async def documents():
    documents = HTTPDocuments(timeout=20, allow_insecure_http=True)
    await documents.prepare()
    # The first exchange of a process imports and compiles things.
    with raw_issuer(lambda: sized(b"{}")) as url:
        await documents.fetch(url)
    return documents


@asynccontextmanager
async def busy_with(count):
    """So many other tasks, each of which wants a turn whenever there is one."""

    async def take_turns():
        while True:  # noqa: ASYNC110  # a turn is all it wants
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(take_turns()) for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("others", [0, 50])
@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_is_refused_and_stalls_nobody(documents, name, others):
    pieces, says = FLOODS[name]
    with raw_issuer(pieces) as url:

        async def read():
            with pytest.raises(DocumentError) as caught:
                await documents.fetch(url)
            assert str(caught.value) == says

        async with busy_with(others):
            assert await longest_step(read, enough=LONGEST) < LONGEST


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'{"a": 1},', b"1e9,", b'"\\u0041",', b'"",', b'"' + b"\\u0041" * 1000 + b'",'])
@pytest.mark.parametrize("size", [16_000, 65_000, MAX_DOCUMENT_BYTES - 100])
async def test_a_document_of_any_content_stalls_nobody(documents, unit, size):
    with raw_issuer(lambda: sized(filled(unit, size))) as url:

        async def read():
            (answer,) = await asyncio.gather(documents.fetch(url), return_exceptions=True)
            # Some have too many values, none fails in another way.
            assert isinstance(answer, Document) or "more than 20000 names and values" in str(answer)

        assert await longest_step(read, enough=LONGEST) < LONGEST


@pytest.mark.parametrize("way", ["direct", "through a proxy"])
async def test_records_of_one_byte_are_refused_and_stall_nobody(monkeypatch, tmp_path, way):
    certificate = Certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    documents = HTTPDocuments(timeout=20)
    await documents.prepare()
    with raw_issuer(lambda: sized(b" " * 20_000), certificate) as url, tunnelling_proxy() as (proxy, asked):
        if way == "through a proxy":
            monkeypatch.setenv("HTTPS_PROXY", proxy)

        async def read():
            with pytest.raises(DocumentError) as caught:
                await documents.fetch(url)
            assert str(caught.value) == TOO_MANY_PIECES

        assert await longest_step(read, enough=LONGEST) < LONGEST
    assert set(asked) == (set() if way == "direct" else {url.removeprefix("https://")})


async def test_control_a_small_document_in_records_of_one_byte_is_read(monkeypatch, tmp_path):
    certificate = Certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    with raw_issuer(lambda: sized(b'{"keys": []}'), certificate) as url:
        assert (await HTTPDocuments(timeout=20).fetch(url)).content == {"keys": []}


async def test_control_the_watch_sees_what_reading_without_a_meter_costs(documents):
    pieces, _ = FLOODS["chunks of one byte"]
    with raw_issuer(pieces) as url:

        async def read():
            with pytest.raises(DocumentError):
                await documents.fetch(url)

        async def read_without_a_meter():
            count = 0
            async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
                async for _ in response.aiter_raw():
                    count += 1
                    if count == 50_000:
                        break

        assert await longest_step(read_without_a_meter, runs=3) > 3 * await longest_step(read, runs=3)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("chunk", [100, 1400, 8192])
async def test_control_a_large_sound_document_is_read(documents, indent, chunk):
    """A thousand RSA keys, as many short lines or as one, in small chunks or large ones, with sixty header fields."""
    keys = [{"kid": f"{number:020}", "kty": "RSA", "use": "sig", "e": "AQAB", "n": "A" * 342} for number in range(1000)]
    body = json.dumps({"keys": keys}, indent=indent).encode()
    assert 0.8 * MAX_DOCUMENT_BYTES < len(body) < MAX_DOCUMENT_BYTES

    def pieces():
        yield HEAD + b"x-field: some value of the usual length\r\n" * 60 + b"transfer-encoding: chunked\r\n\r\n"
        for start in range(0, len(body), chunk):
            part = body[start : start + chunk]
            yield b"%x\r\n" % len(part) + part + b"\r\n"
        yield b"0\r\n\r\n"

    with raw_issuer(pieces) as url:
        assert (await documents.fetch(url)).content == json.loads(body)
