"""What the endpoints need to know of their issuer, and which resources and scopes it grants.

The endpoints themselves do not belong here.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS, is_scope_token
from mcp_oauth2_deps.stores.documents import Document
from mcp_oauth2_deps.testing.authorization_server.authentication import Authentication
from mcp_oauth2_deps.testing.authorization_server.client_documents import ClientDocuments
from mcp_oauth2_deps.testing.authorization_server.clients import Client, ClientStore
from mcp_oauth2_deps.testing.authorization_server.grants import GrantStore
from mcp_oauth2_deps.testing.authorization_server.issued import IssuedTokens
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError
from mcp_oauth2_deps.testing.keys import SigningKey

_MAX_SCOPES = 100
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
# Clients add these two to the scopes that they need, so they must not be refused. Neither is written into a token: this issuer
# has no ID tokens, and offline_access only asks for a refresh token.
_NO_SCOPES_OF_A_TOKEN = frozenset({"openid", OFFLINE_ACCESS})


class Authority(Protocol):
    """What the endpoints know of their issuer."""

    url: str
    audience: str | None
    resources: Collection[str]
    scopes: Mapping[str, str]
    users: Mapping[str, str]
    hint: str
    lifetime: int
    clock: Callable[[], float]
    known_clients: ClientStore
    client_documents: ClientDocuments
    authentication: Authentication
    grants: GrantStore
    issued: IssuedTokens
    requests: Counter[str]

    @property
    def clients(self) -> Mapping[str, Client]:
        """The clients given at the start."""
        ...

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        ...

    async def fetch(self, url: str) -> Document:
        """One of the published documents."""
        ...

    def token(self, *, subject: str, client_id: str, scopes: Iterable[str], audience: str, expires_in: float) -> str:
        """A signed access token."""
        ...


def choose_resource(authority: Authority, asked: str | None) -> str:
    """The resource that a token is for, spelled as the issuer's settings spell it (RFC 8707 section 2).

    Raises:
        RefusedError: it is missing and there is no default, it is no absolute URI, or the issuer does not know it.
    """
    asked = asked or authority.audience
    if asked is None:
        raise RefusedError("invalid_target", "the parameter resource is missing")
    if not _ABSOLUTE_URI.fullmatch(asked) or "#" in asked:
        raise RefusedError("invalid_target", "the resource is not an absolute URI without a fragment")
    known = {_with_path(resource): resource for resource in (*authority.resources, authority.audience) if resource}
    resource = known.get(_with_path(asked), None if authority.resources else asked)
    if resource is None:
        raise RefusedError("invalid_target", "this issuer has no tokens for that resource")
    return resource


def _with_path(resource: str) -> str:
    """Adds the slash of an empty path, as some clients do: both forms name one resource (RFC 3986 section 6.2.3)."""
    try:
        parts = urlsplit(resource)
    except ValueError:
        return resource
    return resource + "/" if parts.netloc and resource.endswith(parts.netloc) else resource


def choose_scopes(authority: Authority, asked: str | None) -> frozenset[str]:
    """The scopes that a person is asked for; all of the issuer's where none are named (RFC 6749 section 3.3).

    Raises:
        RefusedError: a scope is malformed, or the issuer has none of that name.
    """
    if asked is None:
        return frozenset(authority.scopes)
    scopes = frozenset(asked.split(" ")) - {""}
    if len(scopes) > _MAX_SCOPES or not all(map(is_scope_token, scopes)):
        raise RefusedError("invalid_scope", "the scope is malformed")
    if authority.scopes and not scopes - _NO_SCOPES_OF_A_TOKEN <= authority.scopes.keys():
        raise RefusedError("invalid_scope", "the issuer does not know one of the scopes")
    return scopes - _NO_SCOPES_OF_A_TOKEN
