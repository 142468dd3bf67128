import base64
import json

import pytest
from starlette.testclient import TestClient

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.testing import Client, DevelopmentIssuer, LoopbackServer, SigningKey

FORM = {
    "grant_type": "client_credentials",
    "client_id": "c",
    "client_secret": "s",
    "resource": "https://api.example.com/mcp",
    "scope": "a",
}


@pytest.fixture
def client():
    issuer = DevelopmentIssuer(algorithm="ES256", clients={"c": Client("s", frozenset({"a", "b"}))})
    return TestClient(issuer.app, client=("127.0.0.1", 1))


def test_a_token_comes_for_client_credentials_with_a_resource(client):
    answer = client.post("/token", data=FORM)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    payload = answer.json()["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert (claims["aud"], claims["scope"], claims["client_id"]) == (FORM["resource"], "a", "c")


def test_client_credentials_may_come_by_basic(client):
    form = {name: value for name, value in FORM.items() if not name.startswith("client")}
    assert client.post("/token", data=form, auth=("c", "s")).status_code == 200
    assert client.post("/token", data=form, headers={"Authorization": "Basic ?"}).status_code == 401


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": "x"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"resource": ""}, 400, "invalid_target"),
        ({"scope": "admin"}, 400, "invalid_scope"),
        ({"scope": "a" * 70000}, 413, "invalid_request"),
    ],
)
def test_one_wrong_parameter_is_the_error_of_its_rfc(client, change, status, error):
    answer = client.post("/token", data=FORM | change)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("path", ["/", "/jwks", "/.well-known/openid-configuration"])
def test_strangers_are_refused(path):
    issuer = DevelopmentIssuer(algorithm="ES256")
    assert TestClient(issuer.app, client=("192.0.2.1", 1)).get(path).status_code == 403
    assert TestClient(issuer.app, client=("192.0.2.1", 1)).post("/token").status_code == 403
    assert TestClient(issuer.app, client=("127.0.0.1", 1)).get(path).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "::"])
def test_nothing_but_loopback_is_bound(host):
    with pytest.raises(ValueError, match="loopback"):
        LoopbackServer(None, host=host)


async def test_other_documents_do_not_exist():
    with pytest.raises(DocumentError):
        await DevelopmentIssuer(algorithm="ES256").fetch("https://x.example/other")


def test_a_signing_key_shows_no_private_part():
    key = SigningKey.generate("ES256", "k")
    assert repr(key) == "SigningKey(alg='ES256', kid='k')"
    assert "d" not in key.public_jwk()


def test_a_server_that_cannot_start_says_so():
    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "on purpose"})

    with pytest.raises(RuntimeError, match="did not start"), LoopbackServer(broken):
        pass


@pytest.mark.parametrize("host", ["[", "a b", "\u00e9", ""])
def test_an_odd_host_changes_nothing(client, host):
    assert client.get("/jwks", headers={"host": host.encode()}).status_code == 200


def test_one_string_is_no_collection_of_resources():
    with pytest.raises(ValueError, match="not one string"):
        DevelopmentIssuer(algorithm="ES256", resources="https://api.example.com/mcp")


def test_scopes_are_published_where_there_are_some():
    assert "scopes_supported" not in DevelopmentIssuer(algorithm="ES256").metadata()
