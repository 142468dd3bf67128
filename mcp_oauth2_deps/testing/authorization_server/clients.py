"""The clients that the issuer knows, and where they may be redirected to.

How new ones register, and how each proves who it is, does not belong here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cachetools import TTLCache

from mcp_oauth2_deps.protocol.urls import is_loopback_host, url_problem

_MAX_CLIENTS = 1000
_REMEMBERED_SECONDS = 7 * 24 * 3600
_MAX_URI_CHARACTERS = 2000
_PRIVATE_USE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/[\x21-\x7e]*")
_UNFIT = re.compile(r"[\\\"<>^`{|}#]")
# A browser would run, show or send what follows these, instead of opening an app with the code.
_REFUSED_SCHEMES = re.compile(
    r"(?i:about|blob|chrome|data|file|filesystem|ftp|intent|jar|javascript|mailto|resource|tel|vbscript|view-source|wss?)"
)


@dataclass(frozen=True)
class Client:
    """A program that may fetch tokens for itself, or for people who log in, or both.

    Example:
        ```python
        from secrets import token_urlsafe

        from mcp_oauth2_deps.testing import Client

        program = Client(token_urlsafe(), scopes=frozenset({"files:read"}))
        web_page = Client(redirect_uris=("http://127.0.0.1:8000/docs/oauth2-redirect",))
        ```

    Attributes:
        secret: make it random; a public client (a web page, an app) has none.
        key: instead of a secret, the public key (a JWK) of a client that proves itself by `private_key_jwt` (RFC 7523).
        scopes: all that a token may hold that it fetches for itself; a person may grant it others.
        redirect_uris: where people may be sent back to; a client without any cannot have people log in.
        name: shown to people; the client identifier by default.
        native: whether the port of a loopback redirect URI may vary (RFC 8252 section 7.3).
        refreshable: whether it is given refresh tokens.
    """

    secret: str | None = field(default=None, repr=False)
    scopes: frozenset[str] = frozenset()
    redirect_uris: tuple[str, ...] = ()
    name: str = ""
    native: bool = False
    refreshable: bool = True
    key: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        """Checks what was given.

        Raises:
            ValueError: an empty secret, a secret and a key, or an unfit redirect URI.
        """
        if self.secret is not None and self.key is not None:
            raise ValueError("a client proves itself by a secret or by a key, not by both")
        if self.secret == "":
            raise ValueError("an empty secret proves nothing; leave it out for a public client")
        for uri in self.redirect_uris:
            problem = redirect_uri_problem(uri)
            if problem is not None:
                raise ValueError(f"the redirect URI {uri!r} {problem}")

    @property
    def is_public(self) -> bool:
        """Whether the client cannot prove who it is (RFC 6749 section 2.1).

        Example:
            `Client(redirect_uris=("http://127.0.0.1:3000/callback",)).is_public`
        """
        return self.secret is None and self.key is None

    def may_redirect_to(self, uri: str) -> bool:
        """Whether the URI is registered, byte for byte; only the port of a native client's loopback listener may differ.

        Example:
            `client.may_redirect_to("http://127.0.0.1:3000/callback")`
        """
        if uri in self.redirect_uris:
            return True
        if not self.native or redirect_uri_problem(uri) is not None:
            return False
        wanted = _without_loopback_port(uri)
        return wanted is not None and any(_without_loopback_port(known) == wanted for known in self.redirect_uris)


def redirect_uri_problem(uri: str) -> str | None:
    """What makes this redirect URI unfit, as the end of a sentence; None when it is fit (RFC 8252 section 7)."""
    if len(uri) > _MAX_URI_CHARACTERS:
        return "is too long"
    if uri.lower().startswith(("http:", "https:")):
        return url_problem(uri, allow_insecure_http=True)
    private_use = _PRIVATE_USE.fullmatch(uri)
    if private_use is None or _UNFIT.search(uri):
        return "is neither https, nor http on a loopback host, nor of a private-use scheme; none may have a fragment"
    if _REFUSED_SCHEMES.fullmatch(private_use[1]):
        return "has a scheme that is not a client's own"
    return None


def _without_loopback_port(uri: str) -> str | None:
    parts = urlsplit(uri)
    if parts.scheme != "http" or not is_loopback_host(parts.hostname or ""):
        return None
    return parts._replace(netloc=f"[{parts.hostname}]").geturl()


class ClientStore:
    """The clients given at the start, and a bounded number of those that registered since."""

    def __init__(self, known: Mapping[str, Client], clock: Callable[[], float]) -> None:
        self._known = known
        self._registered: TTLCache[str, Client] = TTLCache(_MAX_CLIENTS, _REMEMBERED_SECONDS, clock)

    def find(self, client_id: str) -> Client | None:
        """The client of this identifier."""
        return self._known.get(client_id) or self._registered.get(client_id)

    def is_given(self, client_id: str) -> bool:
        """Whether the client was given at the start."""
        return client_id in self._known

    def keep(self, client_id: str, client: Client) -> None:
        """Remembers a client that has brought its own identifier."""
        self._registered[client_id] = client

    def add(self, client: Client) -> str:
        """Remembers a client that registers; returns its identifier."""
        client_id = uuid4().hex
        self.keep(client_id, client)
        return client_id
