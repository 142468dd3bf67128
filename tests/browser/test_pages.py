"""The demo's login and consent pages: wrong passwords, scopes left out, the keyboard alone, phones, no script, dark mode."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from docs_page import DocsPage

PHONE = {"width": 360, "height": 640}
TABS = 60


@pytest.fixture
def docs(context, demo):
    return DocsPage(context, demo)


def test_a_wrong_password_is_said_on_the_page_and_the_right_one_goes_on(docs, screenshot):
    docs.open_dialog()
    window = docs.authorize()
    window.log_in("wrong")
    alert = window.page.get_by_role("alert")
    assert alert.inner_text() == "Name or password is wrong."
    screenshot(window.page, "wrong-password")
    window.page.keyboard.type("alice")
    window.page.keyboard.press("Enter")
    window.allow()
    docs.wait_until_authorized()


def test_a_scope_left_out_at_consent_is_missing_in_a_403_that_says_so(docs):
    docs.open_dialog()
    window = docs.authorize()
    window.log_in()
    window.page.get_by_label("files:read").uncheck()
    window.allow()
    docs.wait_until_authorized()
    docs.close_dialog()
    shown = docs.try_out()
    assert (shown.status, shown.body["detail"]["error"]) == (403, "insufficient_scope")
    assert 'scope="files:read ' in shown.headers["www-authenticate"]


def tab_to(page, selector):
    """Presses Tab until the element has the focus."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} is not reached by {TABS} times Tab")


def press(page, selector):
    tab_to(page, selector)
    page.keyboard.press("Enter")


def test_the_keyboard_alone_logs_in_and_tries_a_route_out(docs, context):
    page = docs.page
    press(page, ".auth-wrapper > button.authorize")
    docs.dialog.wait_for()
    with context.expect_page() as opened:
        press(page, ".modal-ux button.authorize")
    window = opened.value
    window.get_by_label("Name").wait_for()
    window.keyboard.type("alice")
    tab_to(window, "[name=password]")
    window.keyboard.type("alice")
    window.keyboard.press("Enter")
    window.get_by_label("files:delete").wait_for()
    tab_to(window, "[value='files:delete']")
    window.keyboard.press("Space")
    with window.expect_event("close"):
        press(window, "[value=allow]")
    docs.wait_until_authorized()
    press(page, ".modal-ux .btn-done")
    docs.dialog.wait_for(state="detached")
    press(page, "#operations-default-list_files_files_get .opblock-summary-control")
    press(page, ".try-out__btn")
    press(page, ".execute")
    shown = docs.read_answer()
    assert (shown.status, shown.body["scopes"]) == (200, ["files:read", "files:write", "mcp:use"])


def authorization_url(demo, **changes):
    parameters = {
        "response_type": "code",
        "client_id": "swagger-ui",
        "redirect_uri": f"{demo.url}/docs/oauth2-redirect",
        "scope": "mcp:use files:read files:write files:delete",
        "resource": f"{demo.url}/mcp",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
        "state": "xyz",
    }
    return f"{demo.issuer_url}/authorize?{urlencode(parameters | changes)}"


def assert_fit_for_a_phone(page):
    wide, fields = page.evaluate(
        "[document.documentElement.scrollWidth, [...document.querySelectorAll('input:not([type=hidden])')].map(e => e.labels.length)]"
    )
    assert wide <= PHONE["width"]
    assert fields
    assert set(fields) == {1}
    assert min(button.bounding_box()["height"] for button in page.get_by_role("button").all()) >= 44


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_pages_work_on_a_phone_without_script(new_context, demo, screenshot, colours):
    context = new_context(viewport=PHONE, color_scheme=colours, java_script_enabled=False, has_touch=True)
    page = context.new_page()
    page.goto(authorization_url(demo))
    assert_fit_for_a_phone(page)
    screenshot(page, f"phone-{colours}-login")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").tap()
    page.get_by_role("alert").wait_for()
    assert_fit_for_a_phone(page)
    screenshot(page, f"phone-{colours}-wrong-password")
    page.get_by_label("Password").fill("alice")
    page.get_by_role("button", name="Log in").tap()
    page.get_by_label("files:write").uncheck()
    assert_fit_for_a_phone(page)
    screenshot(page, f"phone-{colours}-consent", full_page=True)
    page.get_by_role("button", name="Allow").tap()
    page.wait_for_url(f"{demo.url}/docs/oauth2-redirect?*")
    answer = parse_qs(urlsplit(page.url).query)
    assert answer.keys() == {"code", "state", "iss"}


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_what_cannot_be_answered_ends_at_a_page_that_says_why(new_context, demo, screenshot, colours):
    page = new_context(viewport=PHONE, color_scheme=colours).new_page()
    page.goto(authorization_url(demo, redirect_uri="https://elsewhere.example/a-very-long-path-that-nobody-registered-here"))
    assert "redirect" in page.get_by_role("alert").inner_text()
    assert page.url.startswith(demo.issuer_url)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    screenshot(page, f"phone-{colours}-error")
