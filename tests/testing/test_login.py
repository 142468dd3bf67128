"""The way of a person: login page, consent page, and the answer to the client."""

import re

import pytest

STALE = "This form was not opened in this browser"


def test_login_and_consent_lead_to_a_token_of_the_person_and_the_resource(browser):
    page = browser.authorize()
    assert page.status_code == 200
    consent = browser.log_in(page)
    answer = browser.answered(browser.decide(consent))
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("xyz", browser.issuer.url)
    tokens = browser.redeem(answer["code"])
    assert tokens.status_code == 200
    assert tokens.headers["cache-control"] == "no-store"
    assert tokens.json().keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    claims = browser.claims(tokens)
    expected = ("alice", "public", browser.RESOURCE, "files:read files:write")
    assert (claims["sub"], claims["client_id"], claims["aud"], claims["scope"]) == expected


def test_the_consent_page_names_the_person_the_client_the_resource_the_scopes_and_the_destination(make_browser):
    browser = make_browser(scopes={"files:read": "Read <all> files", "files:write": ""})
    page = browser.log_in(browser.authorize())
    for part in ("<strong>alice</strong>", browser.RESOURCE, "files:write", "Read &lt;all&gt; files", "http://127.0.0.1:3000<"):
        assert part in page.text


def test_a_scope_can_be_left_out(browser):
    page = browser.log_in(browser.authorize())
    code = browser.answered(browser.decide(page, scopes=["files:read"]))["code"]
    assert browser.redeem(code).json()["scope"] == "files:read"


def test_a_scope_that_was_not_asked_for_cannot_be_ticked(browser):
    page = browser.log_in(browser.authorize())
    code = browser.answered(browser.decide(page, scopes=["files:read", "admin"]))["code"]
    assert browser.redeem(code).json()["scope"] == "files:read"


def test_without_scopes_a_token_without_scopes(browser):
    tokens = browser.redeem(browser.code(scope=None))
    assert "scope" not in tokens.json()
    assert browser.claims(tokens)["scope"] == ""


@pytest.mark.parametrize(("decision", "scopes"), [("deny", None), ("allow", [])])
def test_denied_or_nothing_left_is_access_denied(browser, decision, scopes):
    page = browser.log_in(browser.authorize())
    answer = browser.answered(browser.decide(page, decision, scopes))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "xyz", browser.issuer.url)


def test_who_is_logged_in_goes_straight_to_consent_where_granted_scopes_are_marked(browser):
    browser.redeem(browser.code(scope="files:read"))
    page = browser.authorize(scope="files:read files:write")
    assert "Grant access?</h1>" in page.text
    marked = re.findall(r"<strong>(\S+)</strong>\s+\(already granted\)", page.text)
    assert marked == ["files:read"]
    assert re.findall(r"<strong>(\S+)</strong>[^<]*\(new\)", page.text) == ["files:write"]
    code = browser.answered(browser.decide(page))["code"]
    assert browser.redeem(code).json()["scope"] == "files:read files:write"


def test_at_the_first_consent_nothing_is_marked(browser):
    page = browser.log_in(browser.authorize(scope="files:read files:write"))
    assert "Grant access?</h1>" in page.text
    assert "(new)" not in page.text


def test_a_scope_left_out_later_is_no_longer_marked(browser):
    browser.code(scope="files:read")
    browser.decide(browser.authorize(), scopes=["files:write"])
    page = browser.authorize()
    assert re.findall(r"<strong>(\S+)</strong>\s+\(already granted\)", page.text) == ["files:write"]


def test_somebody_else_can_log_in(browser):
    page = browser.log_in(browser.authorize())
    login = browser.decide(page, "switch")
    consent = browser.log_in(login, user="bob", password="bob")
    code = browser.answered(browser.decide(consent))["code"]
    assert browser.claims(browser.redeem(code))["sub"] == "bob"


def test_who_logged_in_meanwhile_sees_the_login_page_instead_of_granting(browser):
    page = browser.log_in(browser.authorize())
    browser.log_in(browser.authorize(prompt="login"), user="bob", password="bob")
    assert "Log in</h1>" in browser.decide(page).text


def test_two_tabs_do_not_disturb_each_other(browser):
    first, second = browser.authorize(state="1"), browser.authorize(state="2")
    first, second = browser.log_in(first), browser.log_in(second)
    assert browser.answered(browser.decide(second))["state"] == "2"
    assert browser.answered(browser.decide(first))["state"] == "1"


@pytest.mark.parametrize(("logged_in", "error"), [(False, "login_required"), (True, "consent_required")])
def test_a_request_that_forbids_pages_is_refused(browser, logged_in, error):
    if logged_in:
        browser.code()
    assert browser.answered(browser.authorize(prompt="none"))["error"] == error


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice", "wrong"), ("mallory", "mallory"), ("alice", None), (None, "alice"), ("Alice", "alice"), ("alice\x00", "alice")],
)
def test_a_wrong_name_or_password_is_said_on_the_page_and_can_be_tried_again(browser, user, password):
    page = browser.authorize()
    again = browser.log_in(page, user=user, password=password)
    assert again.status_code == 200
    assert 'role="alert">Name or password is wrong.' in again.text
    assert "Allow" not in again.text
    assert "Allow" in browser.log_in(again).text


def test_demo_users_are_hinted_at_and_others_are_not(make_browser):
    assert "Try alice" in make_browser().authorize().text
    assert "Try alice" not in make_browser(users={"carol": "secret"}).authorize().text


def test_a_login_changes_the_cookie(browser):
    page = browser.authorize()
    before = dict(browser.cookies)
    browser.log_in(page)
    assert dict(browser.cookies).keys() == before.keys()
    assert dict(browser.cookies) != before


def test_the_cookie_is_for_these_pages_only(browser):
    cookie = browser.authorize().headers["set-cookie"]
    assert {"HttpOnly", "Path=/authorize", "SameSite=lax"} <= set(cookie.split("; "))


MARKUP = "<script>alert('1')</script>&\"x"


@pytest.mark.parametrize("page", ["login", "wrong password", "consent"])
def test_markup_in_names_scopes_and_state_is_text(make_browser, page):
    browser = make_browser()
    registered = browser.post("/register", json={"client_name": MARKUP, "redirect_uris": [browser.CALLBACK]}).json()
    scope = "<script>alert('1')</script>&x"
    answer = browser.authorize(client_id=registered["client_id"], scope=scope, state=MARKUP)
    if page == "wrong password":
        answer = browser.log_in(answer, user=MARKUP)
        assert 'value="&lt;script&gt;' in answer.text
    if page == "consent":
        answer = browser.log_in(answer)
        assert 'value="&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;x"' in answer.text
        assert browser.answered(browser.decide(answer))["state"] == MARKUP
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    ("redirect_uri", "source"),
    [
        ("http://127.0.0.1:3000/callback", " form-action 'self' http://127.0.0.1:* http://localhost:*;"),
        ("http://[::1]:3000/callback", " form-action 'self' http:;"),
        ("cursor://anysphere/callback", " form-action 'self' cursor:;"),
        ("https://vscode.dev/redirect", ""),
    ],
)
def test_pages_are_closed_but_for_the_way_to_the_client(make_browser, redirect_uri, source):
    browser = make_browser()
    client_id = browser.post("/register", json={"redirect_uris": [redirect_uri]}).json()["client_id"]
    login = browser.authorize(client_id=client_id, redirect_uri=redirect_uri)
    consent = browser.log_in(login)
    for page, form_action in ((login, " form-action 'self';"), (consent, source)):
        style, rest = page.headers["content-security-policy"].removeprefix("default-src 'none'; ").split(";", 1)
        assert re.fullmatch(r"style-src 'sha256-[\w+/=]+'", style)
        assert rest == f"{form_action} base-uri 'none'; frame-ancestors 'none'"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in page.headers
    answer = browser.decide(consent)
    assert answer.headers["location"].startswith(redirect_uri + "?code=")
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_every_field_has_a_label_and_nothing_is_loaded(browser):
    page = browser.authorize()
    for text in (page.text, browser.log_in(page).text):
        visible = [field for field in re.findall("<input[^>]*>", text) if "hidden" not in field]
        assert visible
        assert all(re.search(r"<label>[^<]*" + re.escape(field), text) for field in visible)
        assert 'name="viewport"' in text
        assert not re.search("<script|src=|<link|onclick", text)


# Forms from elsewhere


FOREIGN_HEADERS = [
    {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1:8000"},
    {"origin": "null"},
    {"origin": "null", "sec-fetch-site": "same-origin"},
    {"origin": "http://["},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site"},
]
OWN_HEADERS = [
    {"origin": "http://127.0.0.1:9000"},
    {"origin": "http://127.0.0.1:9000", "sec-fetch-site": "same-origin"},
    {"origin": "http://localhost:9000", "host": "localhost:9000"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN_HEADERS)
def test_a_form_that_another_site_sends_is_refused(browser, headers):
    login = browser.authorize()
    refused = browser.post("/authorize/login", data=browser.hidden(login) | {"user": "bob", "password": "bob"}, headers=headers)
    assert refused.status_code == 403
    assert STALE in refused.text
    page = browser.log_in(login)
    refused = browser.decide(page, headers=headers)
    assert (refused.status_code, STALE in refused.text, "location" in refused.headers) == (403, True, False)
    assert browser.decide(page).status_code == 303


@pytest.mark.parametrize("headers", OWN_HEADERS)
def test_a_form_from_the_page_itself_is_accepted(browser, headers):
    page = browser.log_in(browser.authorize())
    assert browser.decide(page, headers=headers).status_code == 303


def _without_cookie(browser, form, other):
    browser.cookies.clear()
    return form


def _with_another_cookie(browser, form, other):
    browser.cookies.clear()
    browser.cookies.update(other.cookies)
    return form


def _without_token(browser, form, other):
    return form | {"csrf": ""}


def _with_anothers_token(browser, form, other):
    return form | {"csrf": other.hidden(other.log_in(other.authorize()))["csrf"]}


def _with_anothers_form(browser, form, other):
    return form | other.hidden(other.log_in(other.authorize()))


def _with_the_token_of_another_tab(browser, form, other):
    return form | {"csrf": browser.hidden(browser.authorize())["csrf"]}


def _without_transaction(browser, form, other):
    return form | {"transaction": ""}


def _with_odd_characters(browser, form, other):
    return form | {"csrf": "ü\x00"}


@pytest.mark.parametrize(
    "change",
    [
        _without_cookie,
        _with_another_cookie,
        _without_token,
        _with_anothers_token,
        _with_anothers_form,
        _with_the_token_of_another_tab,
        _without_transaction,
        _with_odd_characters,
    ],
)
@pytest.mark.parametrize("path", ["/authorize/login", "/authorize/consent"])
def test_a_form_without_its_cookie_or_token_is_refused(browser, make_browser, change, path):
    other = make_browser(user="bob")
    other.log_in(other.authorize())
    login = browser.authorize()
    page = login if path.endswith("login") else browser.log_in(login)
    form = browser.hidden(page) | {"user": "alice", "password": "alice", "scope": "files:read", "decision": "allow"}
    refused = browser.post(path, data=change(browser, form, other))
    assert (refused.status_code, STALE in refused.text, "location" in refused.headers) == (403, True, False)


def test_a_consent_page_opens_in_its_own_browser_only(browser, make_browser):
    page = browser.log_in(browser.authorize())
    url = f"/authorize/consent?transaction={browser.hidden(page)['transaction']}"
    assert browser.get(url).status_code == 200
    assert make_browser().get(url).status_code == 403


def test_an_answered_or_old_form_is_refused(browser, clock):
    page = browser.log_in(browser.authorize())
    assert browser.decide(page).status_code == 303
    assert browser.decide(page).status_code == 403
    page = browser.authorize()
    clock.now += 601
    assert browser.decide(page).status_code == 403


def test_consent_needs_a_login(browser):
    page = browser.authorize()
    answer = browser.decide(page, scopes=["files:read"])
    assert (answer.status_code, "Log in</h1>" in answer.text) == (200, True)


def test_a_form_without_a_decision_is_an_error(browser):
    page = browser.log_in(browser.authorize())
    assert browser.decide(page, "perhaps").status_code == 400
    assert browser.decide(page, None).status_code == 400


@pytest.mark.parametrize("path", ["/authorize/login", "/authorize/consent", "/token"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a=" + b"x" * 70000, 413),
        (b"user=%ff", 400),
        (b"user=\xff\xfe", 400),
        (b"csrf=1&csrf=2", 400),
        (b"&".join(b"p%d=1" % number for number in range(101)), 400),
    ],
)
def test_odd_forms_are_refused(browser, path, body, status):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post(path, content=body, headers=headers).status_code == status


@pytest.mark.parametrize("query", ["transaction=%ff", "transaction=1&transaction=2"])
def test_an_odd_consent_address_is_refused(browser, query):
    assert browser.get(f"/authorize/consent?{query}").status_code == 400


def test_spaces_of_an_answer_are_not_written_as_pluses_which_swagger_ui_would_show(browser):
    location = browser.decide(browser.log_in(browser.authorize()), "deny").headers["location"]
    assert "error_description=the%20person%20denied%20access" in location
