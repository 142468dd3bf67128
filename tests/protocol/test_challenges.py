"""Which status, fields and sentence each error becomes."""

import pytest

from mcp_oauth2_deps.errors import (
    InsufficientScopeError,
    InvalidRequestError,
    InvalidTokenError,
    IssuerUnavailableError,
    MissingCredentialsError,
    OAuth2Error,
    StoreUnavailableError,
)
from mcp_oauth2_deps.models import Challenge, SchemeChallenge
from mcp_oauth2_deps.protocol.challenges import challenge_for, header_fields

METADATA = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
EXPIRED = "The access token has expired."
INVALID = "The access token is not valid for this resource."
REQUEST = "The request must hold exactly one Authorization field with exactly one well-formed Bearer token."
SCOPE = "The access token does not hold the scopes that this operation needs."


def test_missing_credentials_are_challenged_without_an_error():
    challenge = challenge_for(MissingCredentialsError(), resource_metadata=METADATA, scopes=("a", "b"))
    assert (challenge.status, challenge.error) == (401, None)
    assert header_fields(challenge) == {
        "WWW-Authenticate": f'Bearer resource_metadata="{METADATA}", scope="a b"',
        "Access-Control-Expose-Headers": "WWW-Authenticate",
    }


@pytest.mark.parametrize(
    ("error", "status", "code", "sentence"),
    [
        (InvalidRequestError("malformed_credentials"), 400, "invalid_request", REQUEST),
        (InvalidTokenError("expired", claim="exp"), 401, "invalid_token", EXPIRED),
        (InvalidTokenError("signature"), 401, "invalid_token", INVALID),
        (InvalidTokenError("audience", claim="aud", found='evil"\r\nX: y'), 401, "invalid_token", INVALID),
        (InsufficientScopeError(required=("a",), granted=frozenset(), missing=("a",)), 403, "insufficient_scope", SCOPE),
    ],
)
def test_each_error_has_one_status_one_code_and_one_fixed_sentence(error, status, code, sentence):
    challenge = challenge_for(error, resource_metadata=METADATA, scopes=("a",))
    assert (challenge.status, challenge.error, challenge.description) == (status, code, sentence)
    assert header_fields(challenge)["WWW-Authenticate"] == (
        f'Bearer error="{code}", error_description="{sentence}", resource_metadata="{METADATA}", scope="a"'
    )


def test_without_scopes_the_challenge_names_none():
    challenge = challenge_for(MissingCredentialsError(), resource_metadata=METADATA)
    assert header_fields(challenge)["WWW-Authenticate"] == f'Bearer resource_metadata="{METADATA}"'


def test_a_shortfall_asks_at_once_for_needed_required_and_known_held_scopes():
    error = InsufficientScopeError(required=("c", "b"), granted=frozenset({"z", "y", "foreign"}), missing=("c",))
    challenge = challenge_for(error, resource_metadata=METADATA, scopes=("a", "b"), known_scopes={"y", "z", "x"})
    assert header_fields(challenge)["WWW-Authenticate"].endswith('scope="a b c y z"')
    assert challenge.missing_scopes == ("c",)


def test_c9_a_refusal_that_no_consent_cures_names_no_scopes():
    error = InsufficientScopeError(required=("a",), granted=frozenset({"b"}), missing=())
    challenge = challenge_for(error, resource_metadata=METADATA, scopes=("a",), known_scopes=("b",))
    assert header_fields(challenge)["WWW-Authenticate"] == (
        f'Bearer error="insufficient_scope", error_description="{SCOPE}", resource_metadata="{METADATA}"'
    )
    assert (challenge.status, challenge.missing_scopes) == (403, ())


def test_offline_access_is_never_challenged():
    error = InsufficientScopeError(required=("offline_access",), granted=frozenset({"offline_access"}), missing=("a",))
    challenge = challenge_for(error, resource_metadata=METADATA, scopes=("offline_access",), known_scopes=("offline_access",))
    assert "offline_access" not in header_fields(challenge)["WWW-Authenticate"]


def test_an_unavailable_issuer_is_a_503_that_tells_when_to_come_back():
    error = IssuerUnavailableError("https://issuer.example.com", "no answer", retry_after=7)
    challenge = challenge_for(error, resource_metadata=METADATA, scopes=("a",))
    assert (challenge.status, header_fields(challenge), challenge.error) == (503, {"Retry-After": "7"}, None)
    assert "issuer.example.com" not in challenge.description


def test_what_does_not_answer_is_a_503_that_tells_when_to_come_back_and_not_why():
    challenge = challenge_for(StoreUnavailableError("the database is away", retry_after=7), resource_metadata=METADATA)
    assert (challenge.status, header_fields(challenge), challenge.error) == (503, {"Retry-After": "7"}, None)
    assert "database" not in challenge.description


def test_values_are_quoted():
    challenge = challenge_for(MissingCredentialsError(), resource_metadata='a"b\\c')
    assert header_fields(challenge)["WWW-Authenticate"] == r'Bearer resource_metadata="a\"b\\c"'


def test_the_base_error_has_no_answer():
    with pytest.raises(AssertionError):
        challenge_for(OAuth2Error("other"), resource_metadata=METADATA)


def test_a_caller_is_asked_in_one_scheme_today():
    challenge = challenge_for(MissingCredentialsError(), resource_metadata=METADATA, scopes=("a",))
    assert challenge.challenges == (SchemeChallenge("Bearer", {"resource_metadata": METADATA, "scope": "a"}),)


def test_several_challenges_are_one_field():
    bearer, proof = SchemeChallenge("Bearer", {"error": "x", "scope": "a"}), SchemeChallenge("DPoP", {"algs": "ES256 RS256"})
    assert header_fields(Challenge(401, (bearer, proof), "x", "why")) == {
        "WWW-Authenticate": 'Bearer error="x", scope="a", DPoP algs="ES256 RS256"',
        "Access-Control-Expose-Headers": "WWW-Authenticate",
    }


def test_an_answer_without_challenge_has_no_field_for_it():
    assert header_fields(Challenge(503, (), None, "why", retry_after=1)) == {"Retry-After": "1"}
