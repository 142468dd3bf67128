"""Registration, metadata, and what browsers of other origins may call."""

import json

import pytest

from mcp_oauth2_deps.testing import Client

CALLBACK = "http://127.0.0.1:3000/callback"


def test_a_public_client_registers_and_is_redirected(browser):
    metadata = {
        "client_name": "Inspector",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "scope": "files:read",
        "logo_uri": "https://a.example/logo",
        "client_uri": None,
    }
    answer = browser.post("/register", json=metadata)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    client = answer.json()
    assert client["client_id_issued_at"] > 0
    assert {name: value for name, value in client.items() if not name.startswith("client_id")} == {
        "client_name": "Inspector",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "files:read",
    }
    tokens = browser.redeem(browser.code(client_id=client["client_id"]), client_id=client["client_id"])
    assert tokens.json()["scope"] == "files:read files:write"
    assert "refresh_token" in tokens.json()


def test_a_confidential_client_gets_a_secret_and_refresh_tokens_only_when_asked_for(browser):
    client = browser.post("/register", json={"redirect_uris": [CALLBACK]}).json()
    assert (client["token_endpoint_auth_method"], client["client_secret_expires_at"]) == ("client_secret_basic", 0)
    code = browser.code(client_id=client["client_id"])
    assert browser.redeem(code, client_id=client["client_id"]).status_code == 401
    tokens = browser.redeem(code, client_id=client["client_id"], client_secret=client["client_secret"])
    assert tokens.status_code == 200
    assert "refresh_token" not in tokens.json()


@pytest.mark.parametrize(("application_type", "status"), [("web", 400), ("native", 200), (None, 200)])
def test_the_port_of_a_web_client_is_fixed(browser, application_type, status):
    metadata = {"redirect_uris": [CALLBACK], "application_type": application_type}
    client_id = browser.post("/register", json=metadata).json()["client_id"]
    assert browser.authorize(client_id=client_id, redirect_uri="http://127.0.0.1:4000/callback").status_code == status


@pytest.mark.parametrize(
    "uri",
    [
        "https://a.example/cb",
        "http://localhost:1/cb",
        "http://[::1]:1/cb",
        "cursor://anysphere/cb",
        "com.example.app:/cb",
        "vscode://vscode.microsoft-authentication",
    ],
)
def test_fit_redirect_uris_are_registered(browser, uri):
    assert browser.post("/register", json={"redirect_uris": [uri]}).status_code == 201


@pytest.mark.parametrize(
    "uri",
    [
        "http://a.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "https://a.example/cb#fragment",
        "https://u:p@a.example/cb",
        "https://a.example/ü",
        "https://a.example/\n",
        "https://",
        "http://[",
        "javascript:alert(1)",
        "JavaScript:/alert(1)",
        "javascript://a.example/%0aalert(1)",
        "data:text/html,x",
        "data:/text/html,x",
        "vbscript:/x",
        "file:///etc/passwd",
        "blob:/x",
        "view-source:/x",
        "cursor:cb",
        "cursor://app/#x",
        'cursor://app/"x',
        "/cb",
        "",
        "x" * 2001,
        "https://a.example/" + "x" * 2001,
    ],
)
def test_unfit_redirect_uris_are_refused(browser, uri):
    answer = browser.post("/register", json={"redirect_uris": [CALLBACK, uri]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": CALLBACK}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK, 1]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK] * 21}, "invalid_redirect_uri"),
        ({"client_name": 1}, "invalid_client_metadata"),
        ({"client_name": "x" * 201}, "invalid_client_metadata"),
        ({"client_name": "a\u202eb"}, "invalid_client_metadata"),
        ({"client_name": "\ud800"}, "invalid_client_metadata"),
        ({"client_name": "a\x00"}, "invalid_client_metadata"),
        ({"scope": "\ud800"}, "invalid_client_metadata"),
        ({"scope": ["a"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": "authorization_code"}, "invalid_client_metadata"),
        ({"grant_types": [["authorization_code"]]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"response_types": 7}, "invalid_client_metadata"),
    ],
)
def test_one_wrong_member_is_refused(browser, change, error):
    answer = browser.post("/register", content=json.dumps({"redirect_uris": [CALLBACK]} | change))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"null", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 16000, 400),
        (b"9" * 16000, 400),
        (b'"\\ud800"', 400),
        (b" " * 20000, 413),
        (b" " * 70000, 413),
    ],
)
def test_odd_bodies_are_refused(browser, body, status):
    assert browser.post("/register", content=body).status_code == status


def test_the_oldest_registrations_are_forgotten(browser):
    first = browser.post("/register", json={"redirect_uris": [CALLBACK]}).json()["client_id"]
    assert browser.authorize(client_id=first).status_code == 200
    for _ in range(1000):
        browser.issuer.known_clients.add(Client())
    assert "not registered" in browser.authorize(client_id=first).text
    assert browser.authorize().status_code == 200


@pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"])
def test_the_metadata_names_what_clients_look_for(make_browser, path):
    browser = make_browser(scopes={"b": "", "a": ""})
    metadata = browser.get(path).json()
    base = browser.issuer.url
    assert metadata == {
        "issuer": base,
        "jwks_uri": f"{base}/jwks",
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "registration_endpoint": f"{base}/register",
        "introspection_endpoint": f"{base}/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "introspection_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["a", "b", "offline_access"],
        "client_id_metadata_document_supported": True,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }


ASKED = "content-type, mcp-protocol-version, x-requested-with"
PAGE = "http://localhost:6274"


def preflight(browser, path, method, origin):
    headers = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": ASKED}
    return browser.options(path, headers=headers)


@pytest.mark.parametrize("path", ["/jwks", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"])
@pytest.mark.parametrize("origin", [PAGE, "https://elsewhere.example", "null"])
def test_every_page_may_read_what_is_public(browser, path, origin):
    answer = preflight(browser, path, "GET", origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert answer.headers["access-control-allow-headers"] == ASKED
    assert browser.get(path, headers={"origin": origin}).headers["access-control-allow-origin"] == "*"


# As in the redirect URIs of the clients given in code.
CLIENTS = {"web": Client(redirect_uris=("https://app.example:443/docs/oauth2-redirect", "cursor://app/cb"))}


@pytest.mark.parametrize("path", ["/token", "/register"])
@pytest.mark.parametrize(
    ("origin", "trusted"),
    [
        (PAGE, True),
        ("http://127.0.0.1:8000", True),
        ("https://[::1]", True),
        ("https://app.example", True),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("cursor://app", False),
        ("https://elsewhere.example", False),
        ("http://localhost:6274.elsewhere.example", False),
        ("null", False),
    ],
)
def test_pages_on_loopback_and_those_of_clients_given_in_code_may_call_it(make_browser, path, origin, trusted):
    browser = make_browser(clients=CLIENTS)
    asked, answer = preflight(browser, path, "POST", origin), browser.post(path, headers={"origin": origin})
    if not trusted:
        assert {asked.status_code, answer.status_code} == {403}
        assert not [name for name in (*asked.headers, *answer.headers) if name.startswith("access-control")]
        assert answer.json()["error_description"] == "web pages of other sites may not call this endpoint"
        return
    assert (asked.status_code, asked.headers["access-control-allow-headers"]) == (200, ASKED)
    assert "POST" in asked.headers["access-control-allow-methods"]
    for each in (asked, answer):
        assert (each.headers["access-control-allow-origin"], each.headers["vary"].split(",")[0]) == (origin, "Origin")
        assert "access-control-allow-credentials" not in each.headers


def test_what_registers_from_a_page_is_public(browser):
    metadata = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post"}
    client = browser.post("/register", json=metadata, headers={"origin": PAGE}).json()
    assert (client["token_endpoint_auth_method"], "client_secret" in client) == ("none", False)
    tokens = browser.redeem(browser.code(client_id=client["client_id"]), client_id=client["client_id"])
    assert tokens.status_code == 200


@pytest.mark.parametrize("path", ["/authorize", "/authorize/login", "/authorize/consent"])
def test_pages_for_people_are_closed_to_other_origins(browser, path):
    headers = {"origin": "http://localhost:6274", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in browser.options(path, headers=headers).headers
    assert "access-control-allow-origin" not in browser.get(path, headers=headers).headers
