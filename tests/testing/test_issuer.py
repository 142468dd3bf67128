"""The development issuer: its tokens, its documents, and that only this machine reaches it."""

import base64
import json

import httpx
import pytest
from starlette.testclient import TestClient

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.testing import Client, DevelopmentIssuer, Fault, FaultIssuer, LoopbackServer, SigningKey

NAMES = "127.0.0.1:9000, localhost:9000, [::1]:9000"

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
    return TestClient(issuer.app, base_url=issuer.url, client=("127.0.0.1", 1))


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
    stranger = TestClient(issuer.app, base_url=issuer.url, client=("192.0.2.1", 1))
    assert {answer.status_code for answer in (stranger.get(path), stranger.post("/token"))} == {403}
    assert TestClient(issuer.app, base_url=issuer.url, client=("127.0.0.1", 1)).get(path).status_code == 200


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


@pytest.mark.parametrize("host", ["[", "a b", "\u00e9", "", "testserver", "issuer.example"])
def test_another_host_is_refused_with_the_names_that_are_right(client, host):
    answer = client.get("/jwks", headers={"host": host.encode()})
    assert answer.status_code == 421
    assert answer.text == f"This server is for this machine only, and answers as {NAMES}.\n"


@pytest.mark.parametrize("host", ["issuer.example", "ISSUER.example:443", "127.0.0.1:9000", "localhost:9000", "[::1]:9000"])
def test_an_issuer_with_a_name_of_its_own_answers_to_it_and_to_the_loopback_names_of_its_port(host):
    issuer = DevelopmentIssuer("https://issuer.example", algorithm="ES256")
    client = TestClient(issuer.app, base_url="http://127.0.0.1:9000", client=("127.0.0.1", 1))
    assert client.get("/jwks", headers={"host": host}).status_code == 200
    assert client.get("/jwks", headers={"host": "issuer.example:9000"}).status_code == 421


@pytest.mark.parametrize("fault", [None, Fault.EMPTY])
def test_an_issuer_that_fails_is_for_this_machine_only_too(fault):
    with FaultIssuer(algorithm="ES256").serve() as issuer:
        if fault:
            issuer.spoil("jwks", fault)
        assert httpx.get(f"{issuer.url}/jwks", headers={"host": "evil.example"}).status_code == 421
        assert httpx.get(f"{issuer.url}/jwks").status_code == 200


def test_one_string_is_no_collection_of_resources():
    with pytest.raises(ValueError, match="not one string"):
        DevelopmentIssuer(algorithm="ES256", resources="https://api.example.com/mcp")


def test_scopes_are_published_where_there_are_some():
    assert "scopes_supported" not in DevelopmentIssuer(algorithm="ES256").metadata()
