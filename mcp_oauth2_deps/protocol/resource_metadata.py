"""The protected resource metadata document of RFC 9728 and the URLs where it lives.

Everything comes from the configured resource, nothing from a request.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mcp_oauth2_deps.protocol.scopes import OFFLINE_ACCESS

WELL_KNOWN_PATH = "/.well-known/oauth-protected-resource"


def metadata_path(resource: str) -> str:
    """The path-inserted place of the document (RFC 9728 section 3.1): a lone slash after the host is dropped."""
    path = urlsplit(resource).path
    return WELL_KNOWN_PATH + ("" if path == "/" else path)


def metadata_url(resource: str, override: str | None = None) -> str:
    """The document's public URL, as challenges name it: the override, or the well-known one of the resource."""
    if override is not None:
        return override
    parts = urlsplit(resource)
    return urlunsplit((parts.scheme, parts.netloc, metadata_path(resource), parts.query, ""))


def protected_resource_metadata(
    *,
    resource: str,
    issuers: Iterable[str],
    scopes: Iterable[str] = (),
    name: str | None = None,
    documentation: str | None = None,
) -> dict[str, Any]:
    """The document (RFC 9728 section 2). Resource and issuers are published verbatim.

    Args:
        resource: the resource.
        issuers: where clients log in.
        scopes: for `scopes_supported`.
        name: what clients call the resource when they ask a person.
        documentation: the URL of a page for developers of clients.
    """
    document: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(issuers),
        "bearer_methods_supported": ["header"],
    }
    supported = [scope for scope in scopes if scope != OFFLINE_ACCESS]
    if supported:
        document["scopes_supported"] = supported
    said = {"resource_name": name, "resource_documentation": documentation}
    return document | {member: text for member, text in said.items() if text is not None}
