"""What one bounded GET accepts of an issuer, and what it refuses."""

import asyncio
import gzip
import socket
import subprocess
import sys
import zlib

import httpx
import pytest

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import MAX_DOCUMENT_BYTES, HTTPDocuments

URL = "https://a.example/x"
JSON = {"content-type": "application/json"}


def encoded(coding, body):
    # As from a network: the body is not read, and so not decoded.
    return httpx.Response(200, headers=JSON | {"content-encoding": coding}, stream=httpx.ByteStream(body))


def documents(answer, **settings):
    async def respond(request):
        assert request.headers["accept-encoding"] == "identity"
        if isinstance(answer, Exception):
            raise answer
        # As from a network: the body is not read yet.
        body = b"".join([piece async for piece in answer.stream])
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))

    return HTTPDocuments(timeout=5, transport=httpx.MockTransport(respond), **settings)


@pytest.mark.parametrize("media_type", ["application/json", "application/jwk-set+json; charset=utf-8", "Application/JSON"])
async def test_a_json_object_is_returned(media_type):
    document = await documents(httpx.Response(200, content=b'{"a": 1}', headers={"content-type": media_type})).fetch(URL)
    assert document.content == {"a": 1}
    assert document.max_age is None


@pytest.mark.parametrize(
    ("value", "max_age"), [("public, max-age=60", 60), ('Max-Age="60"', 60), ("no-store", 0), ("s-maxage=5", None)]
)
async def test_cache_control_is_read(value, max_age):
    answer = httpx.Response(200, json={}, headers={"cache-control": value})
    assert (await documents(answer).fetch(URL)).max_age == max_age


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(302, headers={"location": URL}), "redirect"),
        (httpx.Response(500, json={}), "answers 500"),
        (httpx.Response(200, content=b"{}", headers={"content-type": "text/html"}), "content type"),
        (httpx.Response(200, content=b"{}"), "content type"),
        (encoded("br", b"{}"), "its answer has another content coding than gzip or deflate"),
        (encoded("gzip, gzip", b"{}"), "its answer is encoded more than once"),
        (encoded("gzip", b"{}"), "its answer has a damaged content coding"),
        (encoded("gzip", gzip.compress(b"{}")[:-1]), "its answer ends before its content coding does"),
        (encoded("gzip", gzip.compress(b" " * (MAX_DOCUMENT_BYTES + 1))), "its answer is larger than 512 KiB"),
        (httpx.Response(200, content=b" " * (MAX_DOCUMENT_BYTES + 1), headers=JSON), "its answer is larger than 512 KiB"),
        (httpx.Response(200, content=b'{"a":1,"a":2}', headers=JSON), "not one JSON object"),
        (httpx.Response(200, content=b"[]", headers=JSON), "not one JSON object"),
        (httpx.Response(200, content=b"[" * 100_000, headers=JSON), "not one JSON object"),
        (httpx.ConnectError("no"), "no connection"),
        (httpx.ReadError("secret"), "the exchange failed \\(ReadError\\)"),
        (RuntimeError("secret"), "the exchange failed \\(RuntimeError\\)"),
    ],
)
async def test_anything_else_is_refused_with_its_cause(answer, says):
    with pytest.raises(DocumentError, match=says) as caught:
        await documents(answer).fetch(URL)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_key_set_that_comes_compressed_though_identity_was_asked_for_is_read(coding, encode):
    assert (await documents(encoded(coding, encode(b'{"keys": []}'))).fetch(URL)).content == {"keys": []}


@pytest.mark.parametrize("url", ["http://a.example/", "http://127.0.0.1/", "ftp://a.example/", "https://", "file:///etc/hosts"])
async def test_a_url_that_is_not_to_be_trusted_is_not_asked(url):
    with pytest.raises(DocumentError, match="its URL"):
        await documents(AssertionError("asked")).fetch(url)


async def test_loopback_http_is_asked_when_allowed():
    assert (await documents(httpx.Response(200, json={}), allow_insecure_http=True).fetch("http://127.0.0.1/")).content == {}


class Names:
    """Stands for the look-up of names: each look-up of a name gives the next of its answers."""

    def __init__(self, monkeypatch, *answers):
        self._answers = list(answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self)

    async def __call__(self, host, port, **_):
        if not self._answers:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self._answers.pop(0)]


async def test_a_strangers_url_is_asked_at_the_address_that_was_found_public(monkeypatch):
    Names(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    asked = []

    async def respond(request):
        asked.append((str(request.url), request.headers["host"], request.extensions["sni_hostname"]))
        return httpx.Response(200, headers=JSON, stream=httpx.ByteStream(b"{}"))

    await HTTPDocuments(timeout=5, public_only=True, transport=httpx.MockTransport(respond)).fetch("https://a.example:8443/x?y")
    assert asked == [("https://8.8.8.8:8443/x?y", "a.example:8443", "a.example")]


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["169.254.169.254"]])
async def test_a_strangers_url_whose_host_has_a_private_address_is_not_asked(monkeypatch, addresses):
    Names(monkeypatch, addresses)
    with pytest.raises(DocumentError, match="not on the public internet"):
        await documents(AssertionError("asked"), public_only=True).fetch("https://a.example/x")


@pytest.mark.parametrize("host", ["10.0.0.1", "[::ffff:127.0.0.1]", "[fe80::1]", "2130706433", "127.1", "0x7f000001"])
async def test_a_strangers_url_with_a_private_address_in_any_spelling_is_not_asked(host):
    with pytest.raises(DocumentError, match="not on the public internet"):
        await documents(AssertionError("asked"), public_only=True).fetch(f"https://{host}/x")


async def test_a_strangers_url_without_an_address_is_not_asked(monkeypatch):
    Names(monkeypatch)
    with pytest.raises(DocumentError, match="its host has no address"):
        await documents(AssertionError("asked"), public_only=True).fetch("https://a.example/x")


async def test_a_strangers_url_may_name_this_machine_outright():
    answer = documents(httpx.Response(200, json={}), public_only=True, allow_insecure_http=True)
    assert (await answer.fetch("http://localhost:8000/x")).content == {}


async def test_a_proxy_does_not_look_up_the_host_of_a_strangers_url(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "no proxy at all")
    Names(monkeypatch, ["10.0.0.1"], ["8.8.8.8"])
    with pytest.raises(DocumentError, match="not on the public internet"):
        await HTTPDocuments(timeout=5, public_only=True).fetch("https://a.example/x")
    with pytest.raises(DocumentError, match="HTTPS_PROXY"):
        await HTTPDocuments(timeout=5).fetch("https://a.example/x")


async def test_a_slow_drip_does_not_stretch_the_deadline():
    ended = asyncio.Event()

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            writer.close()
            ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    documents = HTTPDocuments(timeout=0.5, allow_insecure_http=True)
    # What takes time before the connection is open, and could take all there is on a busy machine.
    await documents.prepare()
    async with server:
        with pytest.raises(DocumentError, match="no complete answer") as caught:
            await documents.fetch(f"http://127.0.0.1:{port}/")
        await ended.wait()
    assert caught.value.unreachable


_FIRST_FETCH = """
import asyncio, sys
from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import HTTPDocuments

async def main():
    documents = HTTPDocuments(timeout=5, allow_insecure_http=True)
    if "prepared" in sys.argv:
        await documents.prepare()
    before = set(sys.modules)
    try:
        await documents.fetch("http://127.0.0.1:9/jwks")
    except DocumentError:
        print(*{name.partition(".")[0] for name in set(sys.modules) - before} - {"encodings"})

asyncio.run(main())
"""


def _imported_at_the_first_fetch(*arguments):
    done = subprocess.run([sys.executable, "-c", _FIRST_FETCH, *arguments], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_the_first_fetch_after_the_preparation_imports_nothing():
    assert {"httpcore", "h11"} <= _imported_at_the_first_fetch()
    assert _imported_at_the_first_fetch("prepared") == set()
