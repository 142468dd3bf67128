"""One bounded GET of a JSON document; the only place that knows the HTTP library.

What a document means does not belong here.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import httpx

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.encoding import PARSE_ON_LOOP_BYTES, parse_json_object
from mcp_oauth2_deps.protocol.urls import url_problem

MAX_DOCUMENT_BYTES = 512 * 1024

_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json")
_MAX_AGE = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})\b")
_NOT_STORED = re.compile(r"\bno-(?:store|cache)\b")


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object as an issuer published it.

    Attributes:
        content: its members, each name once.
        max_age: seconds that `Cache-Control` allows it to be used (RFC 9111 section 5.2.2), if it says so.
    """

    content: dict[str, Any]
    max_age: int | None = None


class DocumentSource(Protocol):
    """Something that can be asked for the JSON object at a URL."""

    async def fetch(self, url: str) -> Document:
        """The document; raises `DocumentError` with a one-line cause that quotes nothing of it."""


class HTTPDocuments:
    """Documents over https: certificates verified, no redirects, bounded in time and size."""

    def __init__(
        self, *, timeout: float, allow_insecure_http: bool = False, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Nothing is opened yet.

        Args:
            timeout: seconds for one whole exchange, from the name look-up to the last byte.
            allow_insecure_http: http for loopback hosts.
            transport: what carries the requests instead of the network, in tests.
        """
        self._timeout = timeout
        self._allow_insecure_http = allow_insecure_http
        self._transport = transport
        self._tls: ssl.SSLContext | None = None

    async def prepare(self) -> ssl.SSLContext:
        """The TLS context, made beside the event loop once; at start-up, because at the first fetch it is dear."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(_prepared_tls)
        return self._tls

    async def fetch(self, url: str) -> Document:
        """The document at the URL.

        Raises:
            DocumentError: a URL that is not to be trusted, no answer in time, a redirect or any status but 200, another
                content type, a compressed or an oversized body, a body that is not one JSON object.
        """
        problem = url_problem(url, allow_insecure_http=self._allow_insecure_http)
        if problem:
            raise DocumentError(f"its URL {problem}")
        try:
            async with asyncio.timeout(self._timeout):
                body, cache_control = await self._exchange(url)
        except TimeoutError:
            raise DocumentError(f"no complete answer within {self._timeout:g} s", unreachable=True) from None
        except httpx.ConnectError as error:
            raise DocumentError(f"no connection ({type(error).__name__})", unreachable=True) from None
        except DocumentError:
            raise
        # Beside its own errors the HTTP library lets those of sockets, TLS, codecs and its parser through.
        except Exception as error:
            raise DocumentError(f"the exchange failed ({type(error).__name__})") from None
        try:
            content = (
                parse_json_object(body) if len(body) <= PARSE_ON_LOOP_BYTES else await asyncio.to_thread(parse_json_object, body)
            )
        except ValueError:
            raise DocumentError("the answer is not one JSON object with unique member names") from None
        return Document(content, _max_age(cache_control))

    async def _exchange(self, url: str) -> tuple[bytes, str]:
        async with self._client() as client, client.stream("GET", url) as response:
            if response.is_redirect:
                raise DocumentError(f"it answers with a redirect ({response.status_code}), which is not followed")
            if response.status_code != httpx.codes.OK:
                raise DocumentError(f"it answers {response.status_code}")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not _JSON_TYPE.fullmatch(media_type):
                raise DocumentError("it answers with a content type that is not JSON")
            if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise DocumentError("it answers with a compressed body though none was asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise DocumentError(f"its answer is larger than {MAX_DOCUMENT_BYTES // 1024} KiB")
            return bytes(body), response.headers.get("cache-control", "").lower()

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for one exchange; what is dear is the TLS context, which is kept.

        Exchanges are minutes apart, so a pool would only hold dead connections, and tie us to one event loop.
        """
        tls = await self.prepare()
        async with httpx.AsyncClient(
            verify=tls,
            follow_redirects=False,
            timeout=None,  # noqa: S113  # the deadline is set around the whole exchange
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            transport=self._transport,
            # Plain http is for loopback, where a configured proxy cannot reach.
            mounts={"http://": self._transport or httpx.AsyncHTTPTransport(verify=tls)},
        ) as client:
            yield client


def _prepared_tls() -> ssl.SSLContext:
    """A TLS context. What the HTTP library imports at its first request, for a tenth of a second, is imported too."""
    tls = httpx.create_ssl_context()
    httpx.AsyncHTTPTransport(verify=tls)
    anyio.run(anyio.sleep, 0)
    return tls


def _max_age(cache_control: str) -> int | None:
    if _NOT_STORED.search(cache_control):
        return 0
    match = _MAX_AGE.search(cache_control)
    return int(match[1]) if match else None
