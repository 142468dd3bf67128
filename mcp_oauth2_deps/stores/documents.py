"""One bounded exchange: a JSON document, or the reply to a form; the only place that knows the HTTP library.

What a document means does not belong here.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

import anyio
import httpx

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.client_authentication import FormRequest
from mcp_oauth2_deps.protocol.content_codings import BodyError, body_decoder
from mcp_oauth2_deps.protocol.encoding import parse_json_object
from mcp_oauth2_deps.protocol.urls import url_problem
from mcp_oauth2_deps.stores.addresses import pinned
from mcp_oauth2_deps.stores.environment import (
    certificate_fault,
    certificate_variable,
    connection_cause,
    proxy_fault,
    proxy_variable,
)
from mcp_oauth2_deps.stores.forms import Reply
from mcp_oauth2_deps.stores.metering import Meter, trace

MAX_DOCUMENT_BYTES = 512 * 1024
MAX_REPLY_BYTES = 32 * 1024
"""Of a reply to a form. One about a token says what a JWT would say, and of these none is longer than half of this."""
# Names and values of a document: those of 1,300 keys. The worst JSON within these two limits takes 8 ms to parse. This is done on
# the event loop: a thread that works makes each network call of the loop wait for 5 ms, which adds up with fifty requests.
_MAX_VALUES = 20_000

_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json")
# Servers of Node.js close a connection that was idle for five seconds.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=4)
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
        self,
        *,
        timeout: float,
        allow_insecure_http: bool = False,
        public_only: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            timeout: seconds for one whole exchange, from the name look-up to the last byte.
            allow_insecure_http: http for loopback hosts.
            public_only: for URLs that strangers choose. A host that is not a loopback host by its name is asked only where all
                its addresses are public, and never through a proxy, which would look them up by itself.
            transport: what carries the requests instead of the network, in tests.
        """
        self._timeout = timeout
        self._allow_insecure_http = allow_insecure_http
        self._public_only = public_only
        self._transport = transport
        self._tls: ssl.SSLContext | None = None
        self._kept: tuple[asyncio.AbstractEventLoop, httpx.AsyncClient] | None = None

    async def prepare(self) -> ssl.SSLContext:
        """Builds the TLS context once, in a thread. Called at start-up because it takes about 100 ms.

        Raises:
            DocumentError: a variable of the environment names certificates that cannot be read.
        """
        if self._tls is None:
            self._tls = await asyncio.to_thread(_prepared_tls)
        return self._tls

    async def fetch(self, url: str) -> Document:
        """The document at the URL.

        Raises:
            DocumentError: a URL that is not to be trusted, proxies or certificates of the environment that cannot be used, no
                answer in time, a redirect or any status but 200, another content type, an unknown content coding, an answer
                that is oversized or in too many pieces, a body that is not one JSON object.
        """
        self._verify_url(url)
        async with self._told(url), asyncio.timeout(self._timeout), self._client(await self.prepare()) as client:
            target, named, extensions = await pinned(url) if self._public_only else (url, {}, {})
            headers = {"Accept": "application/json", **named}
            request = client.build_request("GET", target, headers=headers, extensions=extensions)
            reply = await _exchange(client, request, MAX_DOCUMENT_BYTES, wanted=_is_json_document)
        try:
            content = parse_json_object(reply.body, max_values=_MAX_VALUES)
        except ValueError:
            raise DocumentError(
                f"the answer is not one JSON object with unique member names, or has more than {_MAX_VALUES} names and values"
            ) from None
        return Document(content, _max_age(reply.cache_control))

    async def post(self, url: str, form: FormRequest, *, accept: str) -> Reply:
        """The reply to this form, whatever its status but a redirect. Connections are kept, for the next of many questions.

        A kept connection may be closed by the other side just when it is used again; then the form is sent once more.

        Args:
            url: where it is sent.
            form: what is sent.
            accept: media types that are understood.

        Raises:
            DocumentError: a URL that is not to be trusted, proxies or certificates of the environment that cannot be used, no
                reply in time, a redirect, an unknown content coding, a reply that is oversized or in too many pieces.
        """
        self._verify_url(url)
        headers = {"Accept": accept} | ({} if form.authorization is None else {"Authorization": form.authorization})
        async with self._told(url, lost=True), asyncio.timeout(self._timeout):
            client = await self._kept_client()
            request = client.build_request("POST", url, data=dict(form.fields), headers=headers)
            try:
                return await _exchange(client, request, MAX_REPLY_BYTES)
            except (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError):
                return await _exchange(client, request, MAX_REPLY_BYTES)

    async def aclose(self) -> None:
        """Closes kept connections. Documents may be asked for again."""
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] is asyncio.get_running_loop():
            await kept[1].aclose()

    def _verify_url(self, url: str) -> None:
        problem = url_problem(url, allow_insecure_http=self._allow_insecure_http)
        if problem:
            raise DocumentError(f"its URL {problem}")

    @asynccontextmanager
    async def _told(self, url: str, *, lost: bool = False) -> AsyncIterator[None]:
        """Whatever goes wrong in the block is a `DocumentError` with its cause in words.

        Args:
            url: who is asked.
            lost: whether an exchange that broke off counts as no answer.
        """
        try:
            yield
        except TimeoutError:
            raise DocumentError(f"no complete answer within {self._timeout:g} s{self._way(url)}", unreachable=True) from None
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise DocumentError(f"no connection{self._way(url)} ({connection_cause(error)})", unreachable=True) from None
        except DocumentError:
            raise
        # Besides its own errors the HTTP library lets those of sockets, TLS and its parser through.
        except Exception as error:
            raise DocumentError(f"the exchange failed ({type(error).__name__})", unreachable=lost) from None

    async def _kept_client(self) -> httpx.AsyncClient:
        """The client that keeps connections, of this event loop. One that another loop left is of no use here."""
        tls = await self.prepare()
        if self._kept is None or self._kept[0] is not asyncio.get_running_loop():
            self._kept = asyncio.get_running_loop(), self._client(tls)
        return self._kept[1]

    def _client(self, tls: ssl.SSLContext) -> httpx.AsyncClient:
        """A client. For documents there is one for each, because minutes lie between two: what is kept is the TLS context."""
        try:
            return httpx.AsyncClient(
                verify=tls,
                follow_redirects=False,
                timeout=None,  # noqa: S113  # the deadline is set around the whole exchange
                headers={"Accept-Encoding": "identity"},
                # No answer may change what is sent with the next question.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                limits=_LIMITS,
                transport=self._transport,
                trust_env=not self._public_only,
                # Plain http is for loopback, where a configured proxy cannot reach.
                mounts={"http://": self._transport or httpx.AsyncHTTPTransport(verify=tls, limits=_LIMITS)},
            )
        except Exception:
            fault = proxy_fault(lambda proxy: httpx.AsyncHTTPTransport(verify=tls, proxy=proxy))
            raise DocumentError(fault, unreachable=True) from None

    def _way(self, url: str) -> str:
        """The proxy on the way to this URL, as part of a sentence: what fails may be the proxy."""
        proxied = self._transport is None and not self._public_only and url.startswith("https:")
        name = proxy_variable(url) if proxied else None
        return "" if name is None else f" through the proxy of the environment variable {name}"


async def _exchange(
    client: httpx.AsyncClient, request: httpx.Request, most_bytes: int, *, wanted: Callable[[int, str], None] | None = None
) -> Reply:
    """One bounded exchange.

    Args:
        client: what carries it.
        request: what is sent.
        most_bytes: of the body of the reply.
        wanted: raises for a status and a media type whose body need not be read.
    """
    request.extensions = {**request.extensions, "trace": trace}
    meter = Meter()
    with meter.counting():
        response = await client.send(request, stream=True)
        try:
            if response.is_redirect:
                raise DocumentError(f"it answers with a redirect ({response.status_code}), which is not followed")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if wanted is not None:
                wanted(response.status_code, media_type)
            body = body_decoder(response.headers.get("content-encoding", ""), most_bytes)
            async for piece in response.aiter_raw():
                meter.count_piece()
                body.feed(piece)
            cache_control, retry_after = (response.headers.get(name, "") for name in ("cache-control", "retry-after"))
            return Reply(response.status_code, media_type, body.finish(), cache_control.lower(), retry_after)
        except BodyError as error:
            raise DocumentError(f"its answer {error}") from None
        finally:
            await response.aclose()


def _is_json_document(status: int, media_type: str) -> None:
    if status != httpx.codes.OK:
        raise DocumentError(f"it answers {status}")
    verify_json_type(media_type)


def verify_json_type(media_type: str) -> None:
    """Guarantees that what was answered calls itself JSON (RFC 8259, and the suffix of RFC 6839).

    Does not check: that it is JSON.

    Raises:
        DocumentError: it does not.
    """
    if not _JSON_TYPE.fullmatch(media_type):
        raise DocumentError("it answers with a content type that is not JSON")


def _prepared_tls() -> ssl.SSLContext:
    """A TLS context. Also triggers the HTTP library's late imports (100 ms), so that the first fetch does not stall the loop."""
    fault = certificate_fault()
    try:
        tls = httpx.create_ssl_context()
    except Exception as error:
        name = certificate_variable()
        if name is None:
            raise
        fault = (
            f"the environment variable {name} names no CA certificates that can be read ({type(error).__name__}); "
            "correct or unset it"
        )
    if fault is not None:
        raise DocumentError(fault, unreachable=True)
    httpx.AsyncHTTPTransport(verify=tls)
    anyio.run(anyio.sleep, 0)
    return tls


def _max_age(cache_control: str) -> int | None:
    if _NOT_STORED.search(cache_control):
        return 0
    match = _MAX_AGE.search(cache_control)
    return int(match[1]) if match else None
