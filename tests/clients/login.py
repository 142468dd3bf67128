"""A token for a resource, by the dance that the clients do: discovery, registration, login, PKCE."""

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

from clients.headless import walk
from processes import fetch

REDIRECT_URI = "http://127.0.0.1:1/callback"  # nobody listens there: the address is read, not asked for


def access_token(issuer_url, resource, scope) -> str:
    server = fetch(f"{issuer_url}/.well-known/oauth-authorization-server").json()
    wanted = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
    registered = fetch(
        server["registration_endpoint"], data=json.dumps(wanted).encode(), headers={"Content-Type": "application/json"}
    )
    client_id = registered.json()["client_id"]
    verifier = secrets.token_urlsafe(32)
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": scope,
        "resource": resource,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    answered = parse_qs(urlsplit(walk(f"{server['authorization_endpoint']}?{urlencode(asked)}")).query)
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code": answered["code"][0],
        "code_verifier": verifier,
        "resource": resource,
    }
    answer = fetch(server["token_endpoint"], data=urlencode(form).encode())
    assert answer.status == 200, answer.body
    return answer.json()["access_token"]
