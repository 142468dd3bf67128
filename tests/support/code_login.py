"""Tokens by the steps that clients take: discovery, registration, login, PKCE. Each request is written out, so that any can be changed."""

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

from processes import fetch

from mcp_oauth2_deps.testing import login_headless

REDIRECT_URI = "http://127.0.0.1:1/callback"  # nobody listens there: the address is read, not asked for


def server_metadata(issuer_url) -> dict:
    """What the issuer says of itself, at the first place that answers (RFC 8414 section 3, OpenID Connect Discovery section 4)."""
    url = urlsplit(issuer_url)
    origin, path = f"{url.scheme}://{url.netloc}", url.path.rstrip("/")
    inserted = [f"{origin}/.well-known/{name}{path}" for name in ("oauth-authorization-server", "openid-configuration")]
    for place in (*inserted, f"{origin}{path}/.well-known/openid-configuration"):
        answer = fetch(place, headers={"Accept": "application/json"})
        if answer.status == 200:
            return answer.json()
    raise AssertionError(f"{issuer_url} publishes no metadata")


def register(server, **metadata) -> dict:
    """A client of its own (RFC 7591), a public one unless said otherwise."""
    native = {"application_type": "native", "response_types": ["code"], "token_endpoint_auth_method": "none"}
    wanted = {"redirect_uris": [REDIRECT_URI]} | native | metadata
    answer = fetch(
        server["registration_endpoint"], data=json.dumps(wanted).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status in {200, 201}, answer.body
    return answer.json()


def log_in(server, client, resource, scope, *, walk=login_headless, **parameters) -> dict:
    """The answer of the token endpoint for alice: access token, and refresh token and ID token where the scopes are for them."""
    verifier = secrets.token_urlsafe(32)
    asked = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": REDIRECT_URI,
        "scope": scope,
        "state": secrets.token_urlsafe(16),
        "resource": resource,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    # A nonce is for an ID token, and oidc-provider refuses one where none is asked for.
    asked |= ({"nonce": secrets.token_urlsafe(16)} if "openid" in scope.split() else {}) | parameters
    answered = parse_qs(urlsplit(walk(f"{server['authorization_endpoint']}?{urlencode(asked)}")).query)
    assert "code" in answered, answered
    form = {
        "grant_type": "authorization_code",
        "client_id": client["client_id"],
        "redirect_uri": REDIRECT_URI,
        "code": answered["code"][0],
        "code_verifier": verifier,
        "resource": resource,
    }
    headers = {}
    if client.get("token_endpoint_auth_method", "none") == "client_secret_basic":
        pair = f"{client['client_id']}:{client['client_secret']}"
        headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    elif client.get("token_endpoint_auth_method") == "client_secret_post":
        form["client_secret"] = client["client_secret"]
    answer = fetch(server["token_endpoint"], data=urlencode(form).encode(), headers=headers)
    assert answer.status == 200, answer.body
    return answer.json()


def access_token(issuer_url, resource, scope) -> str:
    """A token for a resource, by a client that registers itself."""
    server = server_metadata(issuer_url)
    return log_in(server, register(server), resource, scope)["access_token"]
