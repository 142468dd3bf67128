"""Authorization requests: one good request, one mutation per row."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from mcp_oauth2_deps.testing import Client


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"client_id": "<script>"},
        {"client_id": "machine", "redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:3000/callback/"},
        {"redirect_uri": "http://127.0.0.1:3000/callback?x=1"},
        {"redirect_uri": "http://127.0.0.1:3001/callback"},
        {"redirect_uri": "http://127.0.0.1:3000\\@evil.example/callback"},
        {"redirect_uri": "http://["},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "x" * 5000},
        {"redirect_uri": ["http://127.0.0.1:3000/callback", "https://evil.example"]},
        {"client_id": ["public", "other"]},
        {"client_id": "native", "redirect_uri": None},
        {"state": "x" * 20000},
    ],
)
def test_without_a_trusted_address_there_is_a_page_and_no_redirect(browser, changes):
    answer = browser.authorize(**changes)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert 'role="alert"' in answer.text
    assert "<script" not in answer.text
    assert "form-action 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "query", ["client_id=%ff", "client_id=public&state=%ff", "=&&=", "", "client_id", "a=1&" * 200, "%00=%00"]
)
def test_an_unreadable_request_is_a_page_and_no_redirect(browser, query):
    answer = browser.get(f"/authorize?{query}")
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "api"}, "invalid_target"),
        ({"resource": "https://api.example.com/#x"}, "invalid_target"),
        ({"resource": "https://api.example.com/ ü"}, "invalid_target"),
        ({"resource": ["https://a.example", "https://b.example"]}, "invalid_target"),
        ({"scope": 'a"b'}, "invalid_scope"),
        ({"scope": "a\\b"}, "invalid_scope"),
        ({"scope": "é"}, "invalid_scope"),
        ({"scope": "a\nb"}, "invalid_scope"),
        ({"scope": " ".join(map(str, range(101)))}, "invalid_scope"),
        ({"scope": ["files:read", "files:write"]}, "invalid_request"),
        ({"code_challenge_method": ["S256", "plain"]}, "invalid_request"),
        ({"unheard_of": ["1", "2"]}, "invalid_request"),
    ],
)
def test_the_client_hears_of_any_other_fault_with_state_and_issuer(browser, changes, error):
    answer = browser.answered(browser.authorize(**changes))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "xyz", browser.issuer.url)
    assert answer["error_description"].isascii()


def test_a_state_given_twice_is_not_repeated(browser):
    answer = browser.answered(browser.authorize(state=["1", "2"]))
    assert (answer["error"], "state" in answer) == ("invalid_request", False)


@pytest.mark.parametrize("state", [None, "ünï ©", "a&b=c#d", "\r\nSet-Cookie: a=b", "x" * 1000])
def test_the_state_comes_back_as_it_was(browser, state):
    page = browser.log_in(browser.authorize(state=state))
    assert browser.answered(browser.decide(page)).get("state") == state


@pytest.mark.parametrize(
    ("redirect_uri", "fits"),
    [
        ("http://127.0.0.1:1/cb", True),
        ("http://127.0.0.1:65000/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://localhost:1/cb", False),
        ("http://127.0.0.2:1/cb", False),
        ("http://127.0.0.1:1/other", False),
        ("http://127.0.0.1:1/cb?x", False),
        ("http://127.0.0.1:99999/cb", False),
        ("http://u@127.0.0.1:1/cb", False),
        ("https://127.0.0.1:1/cb", False),
        ("https://a.example/cb?x=1", True),
        ("https://a.example:444/cb?x=1", False),
        ("cursor://app/cb", True),
        ("cursor://app:1/cb", False),
    ],
)
def test_only_the_port_of_a_native_loopback_listener_may_vary(browser, redirect_uri, fits):
    answer = browser.authorize(client_id="native", redirect_uri=redirect_uri)
    assert answer.status_code == (200 if fits else 400)


def test_a_query_of_the_redirect_uri_is_kept(browser):
    page = browser.log_in(browser.authorize(client_id="native", redirect_uri="https://a.example/cb?x=1"))
    query = dict(parse_qsl(urlsplit(browser.decide(page).headers["location"]).query))
    assert query.keys() == {"x", "code", "state", "iss"}


def test_the_only_redirect_uri_may_be_left_out(browser):
    code = browser.code(redirect_uri=None)
    assert browser.redeem(code, redirect_uri=None).status_code == 200


@pytest.mark.parametrize(
    ("asked", "audience"),
    [
        ("https://a.example/mcp", "https://a.example/mcp"),
        ("https://b.example", "https://b.example"),
        ("https://b.example/", "https://b.example"),
        ("https://a.example/mcp/", None),
        ("https://c.example", None),
        ("https://[", None),
        ("HTTPS://a.example/mcp", None),
        (None, None),
    ],
)
def test_only_configured_resources_get_tokens(make_browser, asked, audience):
    browser = make_browser(resources=["https://a.example/mcp", "https://b.example"])
    if audience is None:
        assert browser.answered(browser.authorize(resource=asked))["error"] == "invalid_target"
        machine = {"grant_type": "client_credentials", "client_id": "machine", "client_secret": "secret", "resource": asked}
        assert browser.token(**machine).json()["error"] == "invalid_target"
    else:
        tokens = browser.redeem(browser.code(resource=asked), resource=asked)
        assert browser.claims(tokens)["aud"] == audience


def test_a_default_resource_stands_in_for_a_missing_one(make_browser):
    browser = make_browser(audience="https://default.example/mcp")
    tokens = browser.redeem(browser.code(resource=None), resource=None)
    assert browser.claims(tokens)["aud"] == "https://default.example/mcp"
    assert browser.claims(browser.redeem(browser.code()))["aud"] == browser.RESOURCE


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("a", "a"),
        ("a openid offline_access", "a"),
        (" a  b ", "a b"),
        (None, "a b"),
        ("c", None),
        ("a c", None),
    ],
)
def test_only_configured_scopes_are_asked_for(make_browser, asked, granted):
    browser = make_browser(scopes={"a": "A", "b": "B"})
    if granted is None:
        assert browser.answered(browser.authorize(scope=asked))["error"] == "invalid_scope"
    else:
        assert browser.redeem(browser.code(scope=asked)).json()["scope"] == granted


def test_other_methods_are_refused(browser):
    assert browser.post("/authorize").status_code == 405
    assert browser.get("/authorize/login").status_code == 405


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"redirect_uris": ("javascript:alert(1)",)}, "redirect URI"), ({"secret": ""}, "empty secret")],
)
def test_a_client_that_cannot_be_is_refused_at_the_start(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Client(**settings)
