"""Codes and refresh tokens: what they are good for, and for how long."""

import pytest

from mcp_oauth2_deps.testing.authorization_server.grants import Grant


def test_a_code_is_good_for_a_minute(browser, clock):
    code, old = browser.code(), browser.code()
    clock.now += 59
    assert browser.redeem(code).status_code == 200
    clock.now += 2
    assert browser.redeem(old).json()["error"] == "invalid_grant"


def test_a_code_used_again_revokes_what_it_gave(browser):
    code = browser.code()
    refresh_token = browser.redeem(code).json()["refresh_token"]
    newer = browser.refresh(refresh_token).json()["refresh_token"]
    again = browser.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert browser.refresh(newer).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code_verifier": "w" * 64}, 400, "invalid_grant"),
        ({"code_verifier": "v" * 42}, 400, "invalid_grant"),
        ({"code_verifier": "v" * 129}, 400, "invalid_grant"),
        ({"code_verifier": "ü" * 64}, 400, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_request"),
        ({"code": "unknown"}, 400, "invalid_grant"),
        ({"code": None}, 400, "invalid_request"),
        ({"client_id": "other"}, 400, "invalid_grant"),
        ({"client_id": "confidential", "client_secret": "secret"}, 400, "invalid_grant"),
        ({"client_id": "confidential"}, 401, "invalid_client"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_secret": "surplus"}, 401, "invalid_client"),
        ({"redirect_uri": "http://127.0.0.1:3000/other"}, 400, "invalid_grant"),
        ({"redirect_uri": None}, 400, "invalid_grant"),
        ({"resource": "https://other.example"}, 400, "invalid_target"),
        ({"resource": "no uri"}, 400, "invalid_target"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ["authorization_code", "refresh_token"]}, 400, "invalid_request"),
        ({"code": ["a", "b"]}, 400, "invalid_request"),
    ],
)
def test_one_wrong_parameter_gives_no_token(browser, changes, status, error):
    answer = browser.redeem(browser.code(), **changes)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


def test_a_wrong_verifier_spends_the_code_and_another_client_does_not(browser):
    code = browser.code()
    assert browser.redeem(code, client_id="other").status_code == 400
    assert browser.redeem(code, code_verifier="w" * 64).status_code == 400
    assert browser.redeem(code).status_code == 400
    code = browser.code()
    assert browser.redeem(code, client_id="other").status_code == 400
    assert browser.redeem(code).status_code == 200


def test_a_resource_is_as_granted_where_the_token_request_names_none(browser):
    assert browser.claims(browser.redeem(browser.code(), resource=None))["aud"] == browser.RESOURCE


def test_parameters_in_the_query_are_not_read(browser):
    code = browser.code()
    answer = browser.post(f"/token?code={code}&resource=https://other.example", data={"client_id": "public"})
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("by_header", [True, False])
def test_a_confidential_client_proves_itself(browser, by_header):
    code = browser.code(client_id="confidential")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": browser.VERIFIER,
        "redirect_uri": browser.CALLBACK,
    }
    wrong = browser.post("/token", data=form | {"client_id": "confidential"})
    assert (wrong.status_code, "www-authenticate" in wrong.headers) == (401, False)
    if by_header:
        wrong = browser.post("/token", data=form, auth=("confidential", "wrong"))
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Basic realm="development issuer"')
        twice = browser.post("/token", data=form | {"client_secret": "secret"}, auth=("confidential", "secret"))
        assert twice.json()["error"] == "invalid_request"
        other = browser.post("/token", data=form | {"client_id": "other"}, auth=("confidential", "secret"))
        assert other.json()["error"] == "invalid_request"
        right = browser.post("/token", data=form, auth=("confidential", "secret"))
    else:
        right = browser.post("/token", data=form | {"client_id": "confidential", "client_secret": "secret"})
    assert right.status_code == 200


@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token", "client_credentials"])
@pytest.mark.parametrize("by_header", [True, False])
@pytest.mark.parametrize("secret", ["secret", "wrong"])
def test_a_web_page_may_not_use_a_secret_be_it_right_or_wrong(browser, grant_type, by_header, secret):
    form = {"grant_type": grant_type, "resource": browser.RESOURCE}
    proof = {"auth": ("machine", secret)} if by_header else {}
    form |= {} if by_header else {"client_id": "machine", "client_secret": secret}
    answer = browser.post("/token", data=form, headers={"origin": "http://localhost:6274"}, **proof)
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
    if (grant_type, secret) == ("client_credentials", "secret"):
        assert browser.post("/token", data=form, **proof).status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic ü", "Basic /w==", "Basic " + "A" * 9000, "Bearer x", "Basic Og=="])
def test_odd_credentials_are_refused(browser, header):
    answer = browser.post("/token", data={"grant_type": "client_credentials"}, headers={"authorization": header.encode()})
    assert answer.status_code == 401


def test_a_public_client_gets_nothing_for_itself(browser):
    answer = browser.token(grant_type="client_credentials", client_id="public", resource=browser.RESOURCE)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_tokens_last_as_long_as_the_issuer_is_told(make_browser):
    browser = make_browser(lifetime=60)
    tokens = browser.redeem(browser.code())
    claims = browser.claims(tokens)
    assert tokens.json()["expires_in"] == claims["exp"] - claims["iat"] == 60


# Refresh tokens


def test_a_refresh_token_is_replaced_at_each_use(browser):
    first = browser.redeem(browser.code()).json()["refresh_token"]
    second = browser.refresh(first)
    assert second.status_code == 200
    assert (browser.claims(second)["sub"], second.json()["scope"]) == ("alice", "files:read files:write")
    third = browser.refresh(second.json()["refresh_token"], resource=browser.RESOURCE)
    assert third.status_code == 200
    assert len({first, second.json()["refresh_token"], third.json()["refresh_token"]}) == 3


def test_a_replaced_refresh_token_revokes_its_successors(browser):
    first = browser.redeem(browser.code()).json()["refresh_token"]
    second = browser.refresh(first).json()["refresh_token"]
    for token in (first, second):
        answer = browser.refresh(token)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_may_ask_for_less_and_later_for_all_again(browser):
    first = browser.redeem(browser.code()).json()["refresh_token"]
    less = browser.refresh(first, scope="files:read").json()
    assert less["scope"] == "files:read"
    assert browser.refresh(less["refresh_token"]).json()["scope"] == "files:read files:write"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "files:read admin"}, "invalid_scope"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"client_id": "other"}, "invalid_grant"),
        ({"refresh_token": "unknown"}, "invalid_grant"),
        ({"refresh_token": None}, "invalid_request"),
    ],
)
def test_a_refused_refresh_leaves_the_token_good(browser, changes, error):
    token = browser.redeem(browser.code()).json()["refresh_token"]
    assert browser.refresh(token, **changes).json()["error"] == error
    assert browser.refresh(token).status_code == 200


def test_a_refresh_token_is_forgotten_after_a_day(browser, clock):
    token = browser.redeem(browser.code()).json()["refresh_token"]
    clock.now += 24 * 3600 + 1
    assert browser.refresh(token).json()["error"] == "invalid_grant"


def test_nothing_grows_without_bound(issuer):
    grants, login = issuer.grants, issuer._login
    stores = [grants._codes, grants._refresh_tokens, grants._allowed, login._sessions, login._transactions]
    assert {store.maxsize for store in stores} == {1000}
    grant = Grant("alice", "public", "https://api.example.com/mcp", frozenset())
    for _ in range(1001):
        grants.new_refresh_token(grant)
    assert len(grants._refresh_tokens) == 1000


def test_a_refresh_token_comes_only_with_offline_access(browser):
    assert "refresh_token" in browser.redeem(browser.code(scope="files:read offline_access")).json()
    assert "refresh_token" not in browser.redeem(browser.code(scope="files:read")).json()
