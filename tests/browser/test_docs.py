"""A person at `/docs`: logs in at the issuer, comes back, tries a route, and sees what it answered."""

ALL = ["files:delete", "files:read", "files:write", "mcp:use"]


def test_who_logs_in_sees_200_and_who_is_calling(docs, screenshot):
    docs.open_dialog()
    screenshot(docs.page, f"{docs.site.issuer}-authorize")
    window = docs.authorize()
    window.page.locator("input[type=password]").wait_for()
    screenshot(window.page, f"{docs.site.issuer}-login")
    window.log_in()
    window.page.get_by_text("files:read").first.wait_for()
    screenshot(window.page, f"{docs.site.issuer}-consent")
    window.allow()
    docs.wait_until_authorized()
    docs.close_dialog()
    shown = docs.try_out()
    docs.show()
    screenshot(docs.page, f"{docs.site.issuer}-200")
    assert shown.status == 200
    assert shown.body == {"subject": "alice", "client_id": "swagger-ui", "scopes": ALL, "files": ["a.txt"]}


def test_a_scope_unticked_in_the_dialog_is_missing_in_a_403_that_says_so(docs, screenshot):
    docs.log_in(without=["files:read"])
    shown = docs.try_out()
    docs.show()
    screenshot(docs.page, f"{docs.site.issuer}-403")
    assert_files_read_is_missing(shown)


def assert_files_read_is_missing(shown):
    assert shown.status == 403
    assert shown.body["detail"]["error"] == "insufficient_scope"
    assert shown.body["detail"]["missing_scopes"] == ["files:read"]
    challenge = shown.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert "files:read" in challenge.partition('scope="')[2].partition('"')[0].split()


def test_more_scopes_can_be_had_by_authorizing_again(docs):
    docs.log_in(without=["files:read"])
    docs.log_out()
    docs.open_dialog()
    window = docs.authorize()
    window.allow()
    docs.wait_until_authorized()
    docs.close_dialog()
    assert docs.try_out().status == 200


def test_logged_out_is_401_and_the_challenge_says_where_to_log_in(docs):
    assert docs.try_out().status == 401
    docs.log_in()
    assert docs.try_out().status == 200
    docs.log_out()
    shown = docs.try_out()
    assert shown.status == 401
    assert "An access token is required" in shown.body["detail"]["error_description"]
    assert f"{docs.site.url}/.well-known/oauth-protected-resource/mcp" in shown.headers["www-authenticate"]


def test_a_denied_consent_comes_back_with_a_readable_error_and_can_be_tried_again(docs, screenshot):
    docs.open_dialog()
    window = docs.authorize()
    window.log_in()
    window.deny()
    # Swagger UI does not read a plus as a space, and oidc-provider writes one.
    error = docs.error if docs.site.is_demo else docs.error.replace("+", " ")
    screenshot(docs.page, f"{docs.site.issuer}-denied")
    assert "access_denied" in error
    assert ("the person denied access" if docs.site.is_demo else "End-User aborted interaction") in error
    window = docs.authorize()
    window.allow()
    docs.wait_until_authorized()


def test_a_token_endpoint_that_the_page_may_not_ask_is_said_in_the_dialog(docs):
    docs.forbid_redeeming()
    docs.open_dialog()
    window = docs.authorize()
    window.log_in()
    window.allow()
    assert docs.error.endswith("TypeError: Failed to fetch")
