"""Authorization server metadata: where an issuer publishes it, and what is read from it (RFC 8414, OpenID Connect Discovery).

Fetching it does not belong here.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.encoding import text_or_none


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """The part of an issuer's metadata that is used here.

    Attributes:
        jwks_uri: where the keys are; none where the issuer signs nothing, because its tokens are opaque.
        authorization_endpoint: where people log in.
        token_endpoint: where tokens are fetched.
        refreshes: whether it gives refresh tokens.
        introspection_endpoint: where it says what a token is (RFC 7662).
        introspection_methods: how a client may authenticate there; empty where that is not said.
    """

    jwks_uri: str | None
    authorization_endpoint: str | None
    token_endpoint: str | None
    refreshes: bool = False
    introspection_endpoint: str | None = None
    introspection_methods: frozenset[str] = frozenset()


def well_known_urls(issuer: str) -> tuple[str, ...]:
    """Where the metadata may be, in the order to try: RFC 8414 section 3.1, then the two forms of OpenID Connect."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")

    def at(place: str) -> str:
        return urlunsplit((parts.scheme, parts.netloc, place, "", ""))

    oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
    if not path:
        return at(oauth), at(openid)
    return at(oauth + path), at(openid + path), at(path + openid)


def read_metadata(issuer: str, document: dict[str, Any]) -> IssuerMetadata:
    """The members used here, of a document that speaks for this issuer.

    Raises:
        DocumentError: it names another issuer, byte for byte.
    """
    if document.get("issuer") != issuer:
        raise DocumentError(
            "the document names another issuer than the setting issuer, which must equal it to the last character "
            "(often a slash at the end)"
        )
    jwks_uri, authorization, token, introspection = (
        text_or_none(document.get(name))
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "introspection_endpoint")
    )
    grants, methods = (document.get(name) for name in ("grant_types_supported", "introspection_endpoint_auth_methods_supported"))
    return IssuerMetadata(
        jwks_uri,
        authorization,
        token,
        refreshes=isinstance(grants, list) and "refresh_token" in grants,
        introspection_endpoint=introspection,
        introspection_methods=frozenset(filter(None, map(text_or_none, methods))) if isinstance(methods, list) else frozenset(),
    )
