"""Authorization server metadata: where an issuer publishes it, and what is read from it (RFC 8414, OpenID Connect Discovery).

Fetching it does not belong here.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mcp_oauth2_deps.errors import DocumentError


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """The part of an issuer's metadata that is used here."""

    jwks_uri: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    refreshes: bool = False


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
        DocumentError: it names another issuer, byte for byte, or no `jwks_uri`.
    """
    if document.get("issuer") != issuer:
        raise DocumentError(
            "the document names another issuer than the setting issuer, which must equal it to the last character "
            "(often a slash at the end)"
        )
    jwks_uri = document.get("jwks_uri")
    if not isinstance(jwks_uri, str):
        raise DocumentError("the document names no jwks_uri; use the setting jwks_uri if the issuer has one")
    authorization, token = (document.get(f"{name}_endpoint") for name in ("authorization", "token"))
    grants = document.get("grant_types_supported")
    return IssuerMetadata(
        jwks_uri,
        authorization if isinstance(authorization, str) else None,
        token if isinstance(token, str) else None,
        refreshes=isinstance(grants, list) and "refresh_token" in grants,
    )
