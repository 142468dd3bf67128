"""RFC 6750, OAuth 2.1, RFC 9110 and RFC 9728: what a request must hold, and how a refusal is said."""

import logging

import pytest
from reasons import reasons_in
from rfc9110 import challenge_of

from mcp_oauth2_deps.errors import DocumentError


def test_rfc6750_2_1_the_token_comes_in_the_authorization_field(call):
    assert call.token().status_code == 200


def test_rfc9110_11_1_the_scheme_name_is_case_insensitive(call, issuer):
    assert call.send(f"bEARER {issuer.token(scopes=['a'])}").status_code == 200


def test_oauth21_5_1_a_token_in_the_query_is_not_read(call, issuer, refused):
    refused(call.send(url=f"/?access_token={issuer.token(scopes=['a'])}"), reason="missing_credentials")


def test_oauth21_5_1_a_token_in_a_form_is_not_read(call, issuer, refused):
    refused(call.send(data={"access_token": issuer.token(scopes=["a"])}), reason="missing_credentials")


def test_rfc6750_3_1_no_credentials_get_no_error_code(call, refused):
    answer = call.send()
    refused(answer, reason="missing_credentials")
    assert "error" not in challenge_of(answer)[1]
    assert "error_description" not in challenge_of(answer)[1]


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a\tb", 'Bearer "a"'],
    ids=["no token", "a space", "two tokens", "a comma", "a tab", "quotes"],
)
def test_rfc6750_3_1_a_malformed_field_is_invalid_request(call, refused, value):
    refused(call.send(value), reason="malformed_credentials")


def test_rfc9110_5_3_two_authorization_fields_are_invalid_request(call, issuer, refused):
    good = f"Bearer {issuer.token(scopes=['a'])}"
    refused(call.send(good, good), reason="multiple_credentials")


def test_rfc6750_3_a_challenge_has_the_bearer_scheme_and_each_parameter_once(call, refused):
    for send, reason in (
        (call.send, "missing_credentials"),
        (lambda: call.send("Bearer x"), "opaque"),
        (lambda: call.send("Bearer a b"), "malformed_credentials"),
        (lambda: call.token(scope="b"), "insufficient_scope (a)"),
    ):
        answer = send()
        refused(answer, reason=reason)
        scheme, parameters = challenge_of(answer)
        assert scheme == "Bearer"
        assert parameters["scope"].split().count("a") == 1


def test_rfc6750_3_1_an_expired_token_is_invalid_token(call, refused):
    refused(call.token(exp=1), reason="expired (exp)")


def test_rfc6750_3_1_too_few_scopes_are_insufficient_scope_with_403(call, refused):
    refused(call.token(scope="b"), reason="insufficient_scope (a)")


def test_rfc6749_3_3_scopes_are_case_sensitive_and_whole(call, refused):
    for scope in ("A", "aa", "a:b", "\ta"):
        refused(call.token(scope=scope), reason="insufficient_scope (a)")


def test_rfc9110_15_5_2_every_401_has_a_challenge(call, refused):
    for values, reason in (((), "missing_credentials"), (("Basic YTpi",), "missing_credentials"), (("Bearer x",), "opaque")):
        refused(call.send(*values), reason=reason)


def test_rfc9728_5_1_the_challenge_names_a_metadata_url_that_answers(call):
    url = challenge_of(call.send())[1]["resource_metadata"]
    assert url == "https://api.example.com/.well-known/oauth-protected-resource/mcp"
    assert call.client.get(url.removeprefix("https://api.example.com")).status_code == 200


def test_rfc9728_2_and_3_2_the_metadata_is_json_with_the_resource_verbatim(call, issuer):
    answer = call.client.get("/.well-known/oauth-protected-resource/mcp")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["resource"] == "https://api.example.com/mcp"
    assert answer.json()["authorization_servers"] == [issuer.url]
    assert answer.json()["bearer_methods_supported"] == ["header"]


def test_rfc9728_3_3_the_metadata_does_not_follow_the_host_asked_for(call):
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    for path in ("", "/mcp"):
        answer = call.client.get(f"/.well-known/oauth-protected-resource{path}", headers=headers)
        assert answer.status_code == 200
        assert "evil" not in answer.text


def test_rfc9110_10_2_3_an_outage_says_when_to_come_back(call, issuer, monkeypatch, caplog):
    async def fail(url):
        raise DocumentError("it answers 500")

    monkeypatch.setattr(issuer, "fetch", fail)
    caplog.set_level(logging.INFO, "mcp_oauth2_deps")
    answer = call.token()
    assert (answer.status_code, reasons_in(caplog.messages)) == (503, ["issuer_unavailable"])
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers
