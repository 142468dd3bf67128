"""One bounded GET of a JSON document; the only place that knows the HTTP library.

What a document means does not belong here.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import httpx

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.content_codings import BodyError, body_decoder
from mcp_oauth2_deps.protocol.encoding import parse_json_object
from mcp_oauth2_deps.protocol.urls import is_loopback_host, is_public_address, url_problem
from mcp_oauth2_deps.stores.environment import certificate_fault, certificate_variable, proxy_fault, proxy_variable
from mcp_oauth2_deps.stores.metering import Meter

MAX_DOCUMENT_BYTES = 512 * 1024
# Names and values of a document: those of 1,300 keys. The worst JSON within these two limits takes 8 ms to parse. This is done on
# the event loop: a thread that works makes each network call of the loop wait for 5 ms, which adds up with fifty requests.
_MAX_VALUES = 20_000

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
        problem = url_problem(url, allow_insecure_http=self._allow_insecure_http)
        if problem:
            raise DocumentError(f"its URL {problem}")
        try:
            async with asyncio.timeout(self._timeout):
                body, cache_control = await self._exchange(url)
        except TimeoutError:
            raise DocumentError(f"no complete answer within {self._timeout:g} s{self._way(url)}", unreachable=True) from None
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise DocumentError(f"no connection{self._way(url)} ({_connection_cause(error)})", unreachable=True) from None
        except DocumentError:
            raise
        # Besides its own errors the HTTP library lets those of sockets, TLS and its parser through.
        except Exception as error:
            raise DocumentError(f"the exchange failed ({type(error).__name__})") from None
        try:
            content = parse_json_object(body, max_values=_MAX_VALUES)
        except ValueError:
            raise DocumentError(
                f"the answer is not one JSON object with unique member names, or has more than {_MAX_VALUES} names and values"
            ) from None
        return Document(content, _max_age(cache_control))

    async def _exchange(self, url: str) -> tuple[bytes, str]:
        meter = Meter()
        target, headers, pinned = await _pinned(url) if self._public_only else (httpx.URL(url), {}, {})
        extensions = {"trace": meter.trace, **pinned}
        async with self._client() as client, client.stream("GET", target, headers=headers, extensions=extensions) as response:
            if response.is_redirect:
                raise DocumentError(f"it answers with a redirect ({response.status_code}), which is not followed")
            if response.status_code != httpx.codes.OK:
                raise DocumentError(f"it answers {response.status_code}")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not _JSON_TYPE.fullmatch(media_type):
                raise DocumentError("it answers with a content type that is not JSON")
            try:
                body = body_decoder(response.headers.get("content-encoding", ""), MAX_DOCUMENT_BYTES)
                async for piece in response.aiter_raw():
                    meter.count_piece()
                    body.feed(piece)
                return body.finish(), response.headers.get("cache-control", "").lower()
            except BodyError as error:
                raise DocumentError(f"its answer {error}") from None

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for one exchange. The TLS context, which takes 100 ms to build, is kept.

        Exchanges are minutes apart, so a pool would only hold dead connections, and bind us to one event loop.
        """
        tls = await self.prepare()
        try:
            client = httpx.AsyncClient(
                verify=tls,
                follow_redirects=False,
                timeout=None,  # noqa: S113  # the deadline is set around the whole exchange
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                transport=self._transport,
                trust_env=not self._public_only,
                # Plain http is for loopback, where a configured proxy cannot reach.
                mounts={"http://": self._transport or httpx.AsyncHTTPTransport(verify=tls)},
            )
        except Exception:
            fault = proxy_fault(lambda proxy: httpx.AsyncHTTPTransport(verify=tls, proxy=proxy))
            raise DocumentError(fault, unreachable=True) from None
        async with client:
            yield client

    def _way(self, url: str) -> str:
        """The proxy on the way to this URL, as part of a sentence: what fails may be the proxy."""
        proxied = self._transport is None and not self._public_only and url.startswith("https:")
        name = proxy_variable(url) if proxied else None
        return "" if name is None else f" through the proxy of the environment variable {name}"


async def _pinned(url: str) -> tuple[httpx.URL, dict[str, str], dict[str, str]]:
    """The URL with a public address in place of its host, and the field and the extension by which the host is named still.

    The host is looked up once, and the connection goes to the address that was looked at: a name that is looked up again for
    the connection can lead to a private address the second time (DNS rebinding).

    Raises:
        DocumentError: the host has no address, or one that is not public.
    """
    named = httpx.URL(url)
    host = named.raw_host.decode("ascii")
    if is_loopback_host(host):
        return named, {}, {}
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, named.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise DocumentError("its host has no address", unreachable=True) from None
    addresses = [str(entry[4][0]) for entry in found]
    if not all(map(is_public_address, addresses)):
        raise DocumentError("its host has an address that is not on the public internet")
    return named.copy_with(host=addresses[0]), {"Host": named.netloc.decode("ascii")}, {"sni_hostname": host}


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


def _connection_cause(error: BaseException) -> str:
    """What ended the connection. A certificate that is not trusted is said to be: the list of authorities may be ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            name = certificate_variable()
            source = "" if name is None else f"; those that are trusted come from the environment variable {name}"
            return f"its certificate is not trusted: {cause.verify_message}{source}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _max_age(cache_control: str) -> int | None:
    if _NOT_STORED.search(cache_control):
        return 0
    match = _MAX_AGE.search(cache_control)
    return int(match[1]) if match else None
