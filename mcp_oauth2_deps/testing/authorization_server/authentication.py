"""How clients prove who they are (RFC 6749 section 2.3) at the endpoints for programs: by a secret, or by a signature.

Which clients there are does not belong here.
"""

import hmac
import time
from base64 import b64decode
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import unquote_plus

from cachetools import TTLCache

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.encoding import parse_json_object
from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS, read_header, split_token, verify_signature
from mcp_oauth2_deps.protocol.keys import KeySet, UnusableKeySetError
from mcp_oauth2_deps.testing.authorization_server.clients import Client, ClientStore
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError

AUTH_METHODS = ("none", "client_secret_post", "client_secret_basic", "private_key_jwt")
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_ASSERTION_SECONDS = 300
_MAX_ASSERTIONS = 10_000
_REFUSED = "unknown client (all are forgotten at a restart), or wrong secret or signature"


class _Issuer(Protocol):
    """Whom a client proves itself to."""

    url: str
    known_clients: ClientStore


class Authentication:
    """Finds out which client calls; remembers assertions, so that each counts once."""

    def __init__(self) -> None:
        self._used: TTLCache[tuple[str, str], bool] = TTLCache(_MAX_ASSERTIONS, _MAX_ASSERTION_SECONDS)

    def authenticate(self, issuer: _Issuer, authorization: str, form: Mapping[str, str]) -> tuple[str, Client]:
        """Who calls: by secret in the header or in the form, by a signed assertion (RFC 7523 section 2.2), or a public client.

        Raises:
            RefusedError: an unknown client, a wrong secret or assertion, or credentials in two ways at once.
        """
        client_id, secret = _client_credentials(authorization, form)
        client = issuer.known_clients.find(client_id)
        if client is not None and client.key is not None:
            self._verify_assertion(client_id, client.key, form, (issuer.url, issuer.url.rstrip("/") + "/token"))
            return client_id, client
        # The comparison also runs for an unknown client, so that the time does not show which clients exist. A public client
        # has an empty secret.
        expected = (client.secret or "") if client is not None else ""
        if not hmac.compare_digest(expected.encode(), secret.encode()) or client is None or "client_assertion" in form:
            raise RefusedError("invalid_client", _REFUSED, 401)
        return client_id, client

    def _verify_assertion(
        self, client_id: str, key: Mapping[str, Any], form: Mapping[str, str], audiences: Collection[str]
    ) -> None:
        try:
            token = split_token(form.get("client_assertion", ""))
            header = read_header(token.header_segment)
            public = KeySet.from_document({"keys": [key]}, SUPPORTED_ALGORITHMS).select(header)
            if public is None:
                raise RefusedError("invalid_client", _REFUSED, 401)
            verify_signature(token, public)
            claims = parse_json_object(token.payload)
        except (InvalidTokenError, UnusableKeySetError, ValueError):
            raise RefusedError("invalid_client", _REFUSED, 401) from None
        now, expires_at, identifier = time.time(), claims.get("exp"), claims.get("jti")
        sound = (
            form.get("client_assertion_type") == _ASSERTION_TYPE
            and claims.get("iss") == claims.get("sub") == client_id
            and claims.get("aud") in audiences
            and isinstance(expires_at, int | float)
            and now < expires_at <= now + _MAX_ASSERTION_SECONDS
            and isinstance(identifier, str)
        )
        if not sound or (client_id, str(identifier)) in self._used:
            raise RefusedError("invalid_client", _REFUSED, 401)
        self._used[client_id, str(identifier)] = True


def _client_credentials(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    in_form = form.get("client_id", "") or _unverified_subject(form), form.get("client_secret", "")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        if in_form[1] and "client_assertion" in form:
            raise RefusedError("invalid_request", "the client gives its credentials in two ways")
        return in_form
    try:
        name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    credentials = unquote_plus(name), unquote_plus(secret)
    if in_form[1] or "client_assertion" in form or in_form[0] not in ("", credentials[0]):
        raise RefusedError("invalid_request", "the client gives its credentials in two ways")
    return credentials


def _unverified_subject(form: Mapping[str, str]) -> str:
    """Who an assertion says it is from, for clients that send no `client_id` with it (RFC 7521 section 4.2)."""
    try:
        subject = parse_json_object(split_token(form.get("client_assertion", "")).payload).get("sub")
    except (InvalidTokenError, ValueError):
        return ""
    return subject if isinstance(subject, str) else ""
