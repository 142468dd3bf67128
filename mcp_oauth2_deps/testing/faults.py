"""An issuer whose documents and introspections fail in every way an issuer's can, one at a time, while it runs."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Literal, Self
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import SigningKey
from mcp_oauth2_deps.testing.loopback import LoopbackGuard, LoopbackServer

Documents = Literal["metadata", "jwks", "introspection"]
_MEBIBYTE = 1024 * 1024


class Fault(Enum):
    """What is wrong with a document.

    Example:
        `issuer.spoil("jwks", Fault.NOT_FOUND)`
    """

    HANG = "no answer at all"
    SLOW = "the head of the answer, and nothing after it"
    DRIP = "the right answer, a byte at a time"
    ENDLESS = "a body without an end"
    HUGE = "a document of two MiB"
    BOMB = "a small body that inflates to ten MiB"
    PIECES = "a body without an end, a byte at a time, as fast as it goes"
    COOKIES = "the right answer, and four thousand cookies"
    CUT = "a connection that ends in the middle of the body"
    REDIRECT = "a redirect to the right document"
    NOT_FOUND = "404"
    TOO_MANY = "429"
    BROKEN = "500"
    HTML = "a page for people"
    MALFORMED = "half of the JSON"
    TWICE = "a member that is there twice"
    DEEP = "a thousand lists in one another"
    ANOTHER = "a JSON document of another kind"
    EMPTY = "a document without the members that matter"
    FOREIGN = "another issuer's name, or only keys that nobody may use"


class FaultIssuer(DevelopmentIssuer):
    """A `DevelopmentIssuer` whose documents, and answers about tokens, can be made faulty and whole again while it is served.

    It shows how an app behaves when its issuer fails.

    Example:
        ```python
        from mcp_oauth2_deps.testing import Fault, FaultIssuer

        with FaultIssuer(audience="https://api.example.com/mcp").serve() as issuer:
            issuer.spoil("jwks", Fault.BROKEN)
            ...  # the app under test answers 503, not 401
            issuer.heal()
        ```

    Attributes:
        faults: what is wrong with which document now.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.faults: dict[Documents, Fault] = {}
        self._server: LoopbackServer | None = None

    def spoil(self, document: Documents, fault: Fault) -> None:
        """From now on the document has this fault.

        Example:
            `issuer.spoil("metadata", Fault.HTML)`
        """
        self.faults[document] = fault

    def heal(self) -> None:
        """From now on no document is faulty; an issuer that was switched off is on again.

        Example:
            `issuer.heal()`
        """
        self.faults.clear()
        self.switch_on()

    def switch_off(self) -> None:
        """Closes the issuer's port: connections are refused.

        Example:
            `issuer.switch_off()`
        """
        if self._server is not None:
            self._server.close()
            self._server = None

    def switch_on(self) -> None:
        """Listens again, at the same port.

        Example:
            `issuer.switch_on()`
        """
        if self._server is None:
            self._server = LoopbackServer(self.app, port=int(self.url.rpartition(":")[2])).__enter__()

    def rekey(self) -> SigningKey:
        """Replaces the signing key by another with the same `kid`, as issuers do that have lost their keys.

        Example:
            `issuer.rekey()`
        """
        self._keys[-1] = SigningKey.generate(self.key.alg, self.key.kid)
        return self.key

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[Self]:
        """Serves the issuer on 127.0.0.1 while the block runs, and sets `url` to its address.

        Args:
            port: the port; 0 takes any free one.

        Raises:
            OSError: the port is taken.

        Example:
            `with FaultIssuer().serve() as issuer: ...`
        """
        server = LoopbackServer(self.app, port=port)
        self.url = server.url
        self._server = server.__enter__()
        try:
            yield self
        finally:
            self.switch_off()

    def _content(self, path: str) -> dict[str, Any]:
        """What the answer would be without the fault; of any token that it is not active."""
        match _document_at(path):
            case "jwks":
                return self.jwks()
            case "introspection":
                return {"active": False}
            case _:
                return self.metadata()

    @property
    def app(self) -> ASGIApp:  # type: ignore[override]  # the app there, behind the faults
        """The issuer as an ASGI app with its faults; it answers callers on this machine only, and only under its own names."""
        sound = super().app

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            fault = self.faults.get(_document_at(scope.get("path", "")))  # type: ignore[arg-type]  # none is in no dict
            if fault is None:
                await sound(scope, receive, send)
                return
            self.requests[scope["path"]] += 1
            await _spoilt(fault, self._content(scope["path"]), scope["path"], receive, send)

        return LoopbackGuard(serve, lambda: self.url)


def _document_at(path: str) -> Documents | None:
    if "/.well-known/" in path:
        return "metadata"
    return "jwks" if path.endswith("/jwks") else "introspection" if path.endswith("/introspect") else None


async def _spoilt(fault: Fault, content: dict[str, Any], path: str, receive: Receive, send: Send) -> None:
    document = json.dumps(content).encode()
    if fault is Fault.HANG:
        await _until_gone(receive)
        return
    status = {Fault.REDIRECT: 307, Fault.NOT_FOUND: 404, Fault.TOO_MANY: 429, Fault.BROKEN: 500}.get(fault, 200)
    headers = [(b"content-type", b"text/html" if fault is Fault.HTML else b"application/json")]
    headers += [(b"location", f"{path}?again={uuid4().hex}".encode())] if fault is Fault.REDIRECT else []
    headers += [(b"content-encoding", b"gzip")] if fault is Fault.BOMB else []
    headers += [(b"content-length", str(len(document)).encode())] if fault is Fault.CUT else []
    headers += [(b"set-cookie", b"name=value")] * 4000 if fault is Fault.COOKIES else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if fault is Fault.SLOW:
        await _until_gone(receive)
        return
    async for chunk in _paced(_chunks(fault, document, content), receive, pause=0.05 if fault is Fault.DRIP else 0):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    if fault is Fault.CUT:
        raise ConnectionError("cut off on purpose")
    await send({"type": "http.response.body", "body": b""})


def _chunks(fault: Fault, document: bytes, content: dict[str, Any]) -> Iterable[bytes]:
    if fault is Fault.DRIP:
        return (document[place : place + 1] for place in range(len(document)))
    if fault is Fault.ENDLESS:
        return iter(lambda: b" " * 65536, None)
    if fault is Fault.PIECES:
        return iter(lambda: b" ", None)
    return [_body(fault, document, content)]


def _body(fault: Fault, document: bytes, content: dict[str, Any]) -> bytes:
    match fault:
        case Fault.HUGE:
            return json.dumps({**content, "padding": "x" * 2 * _MEBIBYTE}).encode()
        case Fault.BOMB:
            return gzip.compress(json.dumps({**content, "padding": "x" * 10 * _MEBIBYTE}).encode())
        case Fault.CUT | Fault.MALFORMED:
            return document[: len(document) // 2]
        case Fault.TWICE:
            return document[:-1] + b", " + document[1:]
        case Fault.DEEP:
            return b'{"keys": ' + b"[" * 1000 + b"]" * 1000 + b"}"
        case Fault.ANOTHER:
            return b'["a list", 1, null]'
        case Fault.EMPTY:
            return b'{"keys": []}'
        case Fault.FOREIGN:
            other = "https://other.example.com"
            foreign = {"issuer": other} if "issuer" in content else {"active": True, "iss": other, "keys": _UNUSABLE}
            return json.dumps({**content, **foreign}).encode()
        case _:
            return document


_UNUSABLE: list[Any] = [
    {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
    {"kty": "OKP", "crv": "X25519", "kid": "agreement", "x": "A" * 43},
    {"kty": "RSA", "kid": "tiny", "n": "AQAB", "e": "AQAB"},
    {"kty": "EC", "crv": "P-256", "kid": "off its curve", "x": "A" * 43, "y": "A" * 43},
    {"kty": ["RSA"], "kid": 5},
    "no key",
    None,
]


async def _until_gone(receive: Receive) -> None:
    """Returns when the client closes the connection."""
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _paced(chunks: Iterable[bytes], receive: Receive, *, pause: float) -> AsyncIterator[bytes]:
    """The chunks, until the client closes the connection."""
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        for chunk in chunks:
            yield chunk
            await asyncio.wait({gone}, timeout=pause)
            if gone.done():
                return
    finally:
        gone.cancel()
