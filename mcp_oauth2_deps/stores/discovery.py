"""From an issuer to its authorization server metadata (RFC 8414, OpenID Connect Discovery).

Keys do not belong here.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import DocumentSource


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


async def discover(issuer: str, documents: DocumentSource) -> IssuerMetadata:
    """The metadata of the first well-known URL that holds a document of exactly this issuer (RFC 8414 section 3.3).

    Raises:
        DocumentError: none does; the text tells for each URL why.
    """
    causes = []
    for url in well_known_urls(issuer):
        try:
            document = await documents.fetch(url)
            return read_metadata(issuer, document.content)
        except DocumentError as error:
            causes.append(f"{url}: {error}")
            if error.unreachable:
                raise DocumentError("; ".join(causes), unreachable=True) from None
    raise DocumentError("; ".join(causes))


def read_metadata(issuer: str, document: dict[str, Any]) -> IssuerMetadata:
    """The members used here, of a document that speaks for this issuer.

    Raises:
        DocumentError: it names another issuer, byte for byte, or no `jwks_uri`.
    """
    if document.get("issuer") != issuer:
        raise DocumentError(
            "the document names another issuer than MCP_OAUTH2_ISSUER, which must equal it to the last character "
            "(often a slash at the end)"
        )
    jwks_uri = document.get("jwks_uri")
    if not isinstance(jwks_uri, str):
        raise DocumentError("the document names no jwks_uri; set MCP_OAUTH2_JWKS_URI if the issuer has one")
    authorization, token = (document.get(f"{name}_endpoint") for name in ("authorization", "token"))
    grants = document.get("grant_types_supported")
    return IssuerMetadata(
        jwks_uri,
        authorization if isinstance(authorization, str) else None,
        token if isinstance(token, str) else None,
        refreshes=isinstance(grants, list) and "refresh_token" in grants,
    )
