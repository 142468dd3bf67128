"""Dynamic client registration (RFC 7591): clients register themselves, and are remembered until the issuer stops."""

import json
import time
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mcp_oauth2_deps.protocol.scopes import is_scope_token
from mcp_oauth2_deps.testing.authorization_server.browsers import comes_from_a_page
from mcp_oauth2_deps.testing.authorization_server.clients import Client, ClientStore, redirect_uri_problem
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError, not_stored, read_body

_AUTH_METHODS = ("none", "client_secret_post", "client_secret_basic")
_GRANT_TYPES = ("authorization_code", "refresh_token")
_MAX_BYTES = 16 * 1024
_MAX_REDIRECT_URIS = 20
_MAX_NAME_CHARACTERS = 200


async def answer_registration(clients: ClientStore, request: Request) -> Response:
    """The new client's metadata, or the error of RFC 7591 section 3.2.2; metadata it does not know is ignored."""
    try:
        metadata = _read_metadata(await read_body(request))
        client, answer = read_client(metadata, in_page=comes_from_a_page(request))
    except RefusedError as refused:
        return refused.answer()
    registered = {"client_id": clients.add(client), "client_id_issued_at": int(time.time()), **answer}
    if client.secret is not None:
        registered |= {"client_secret": client.secret, "client_secret_expires_at": 0}
    return not_stored(registered, 201)


def _read_metadata(body: bytes) -> dict[str, Any]:
    if len(body) > _MAX_BYTES:
        raise RefusedError("invalid_client_metadata", "the metadata is too long", 413)
    try:
        metadata = json.loads(body)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise RefusedError("invalid_client_metadata", "the body is not a JSON object")
    return {name: value for name, value in metadata.items() if value is not None}


def read_client(metadata: Mapping[str, Any], *, in_page: bool = False) -> tuple[Client, dict[str, object]]:
    """The client that these members describe (RFC 7591 section 2), and what it is told of itself.

    Raises:
        RefusedError: a member is missing or wrong.
    """
    redirect_uris = _read_redirect_uris(metadata)
    name = metadata.get("client_name", "")
    # Also refuses lone surrogates, and characters that reverse the direction of text and so could show a false name.
    if not isinstance(name, str) or len(name) > _MAX_NAME_CHARACTERS or not name.isprintable():
        raise RefusedError("invalid_client_metadata", "client_name is not a printable string of at most 200 characters")
    method = metadata.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in _AUTH_METHODS:
        raise RefusedError("invalid_client_metadata", "token_endpoint_auth_method is none of " + ", ".join(_AUTH_METHODS))
    if in_page:
        # A web page can keep no secret, and the token endpoint takes none from it; we may replace what it asked for
        # (RFC 7591 section 2).
        method = "none"
    grant_types = _read_grant_types(metadata)
    client = Client(
        secret=None if method == "none" else token_urlsafe(32),
        redirect_uris=redirect_uris,
        name=name,
        # Clients that do not know `application_type` are taken for native: the port of their loopback listener may vary.
        native=metadata.get("application_type", "native") == "native",
        refreshable="refresh_token" in grant_types,
    )
    answer = {
        "redirect_uris": redirect_uris,
        "token_endpoint_auth_method": method,
        "grant_types": grant_types,
        "response_types": ["code"],
    }
    # Repeated to the client, without any other effect: clients register before they know which scopes they will need.
    asked = {"client_name": name, "scope": _read_scope(metadata)}
    return client, answer | {member: value for member, value in asked.items() if value}


def _read_redirect_uris(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    uris = metadata.get("redirect_uris")
    if not isinstance(uris, list) or not 0 < len(uris) <= _MAX_REDIRECT_URIS or not all(isinstance(uri, str) for uri in uris):
        raise RefusedError("invalid_redirect_uri", f"redirect_uris is not a list of 1 to {_MAX_REDIRECT_URIS} strings")
    for uri in uris:
        problem = redirect_uri_problem(uri)
        if problem is not None:
            raise RefusedError("invalid_redirect_uri", f"a redirect URI {problem}")
    return tuple(uris)


def _read_grant_types(metadata: Mapping[str, Any]) -> list[str]:
    grant_types = metadata.get("grant_types", ["authorization_code"])
    response_types = metadata.get("response_types", ["code"])
    if not isinstance(grant_types, list) or "authorization_code" not in grant_types:
        raise RefusedError("invalid_client_metadata", "grant_types does not hold authorization_code")
    if not isinstance(response_types, list) or "code" not in response_types:
        raise RefusedError("invalid_client_metadata", "response_types does not hold code")
    return [grant_type for grant_type in _GRANT_TYPES if grant_type in grant_types]


def _read_scope(metadata: Mapping[str, Any]) -> str:
    scope = metadata.get("scope", "")
    if not isinstance(scope, str) or not all(map(is_scope_token, filter(None, scope.split(" ")))):
        raise RefusedError("invalid_client_metadata", "scope is not a string of scopes")
    return scope
