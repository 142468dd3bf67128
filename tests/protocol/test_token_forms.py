"""What anybody could take for a JWT, and why a token is refused that nobody can judge."""

import pytest

from mcp_oauth2_deps.protocol.token_forms import is_token, looks_like_jwt, nobody_can_judge

ROWS = {
    "abc": "opaque",
    "a.b": "opaque",
    "a.b.c": "malformed",
    "a.b.c.d.e": "encrypted",
    "a.b.c.d.e.f": "opaque",
    "ab==": "opaque",
}
NO_TOKENS = ["", "\u00e9", "a b", "a=b", "a.b.c.d.\n"]


@pytest.mark.parametrize(("text", "reason"), ROWS.items())
def test_a_token_that_nobody_can_judge_is_refused_by_its_form(text, reason):
    assert is_token(text)
    assert nobody_can_judge(text).reason == reason


@pytest.mark.parametrize("text", NO_TOKENS)
def test_what_no_field_could_carry_is_malformed(text):
    assert not is_token(text)
    assert nobody_can_judge(text).reason == "malformed"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("e30.e30.AAEC", id="canonical"),
        pytest.param("e30..", id="nothing but a header"),
        pytest.param("e30.e30.AAEC.AAEC", id="four parts"),
        pytest.param("e30.e30.AAEC.AAEC.AAEC.AAEC", id="six parts"),
        pytest.param("e30=.e30.AAEC", id="padded header"),
        pytest.param("~e~3~0~.e30.AAEC", id="characters that are skipped"),
        pytest.param("eyI-Ij.e30.AAEC", id="the alphabet for URLs"),
        pytest.param("eyI+Ij.e30.AAEC", id="the standard alphabet"),
        pytest.param("IAkKDXt9.e30.AAEC", id="white space before"),
        pytest.param("77u/e30.e30.AAEC", id="a byte order mark before"),
        pytest.param("\u00c9e30.e30.AAEC", id="not ASCII"),
        pytest.param("e30AA.e30.AAEC", id="an impossible length"),
    ],
)
def test_what_any_reader_could_take_for_a_jwt_looks_like_one(token):
    assert looks_like_jwt(token)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("e30", id="no dots"),
        pytest.param("e30.e30", id="one dot"),
        pytest.param("e30.e30.e30.e30.e30", id="a JWE"),
        pytest.param("..", id="no header"),
        pytest.param("~.e30.AAEC", id="no letters in the header"),
        pytest.param("W10.e30.AAEC", id="the header is an array"),
        pytest.param("sk_live.abc.def", id="a key with dots"),
        pytest.param("v4.public.abc", id="PASETO"),
    ],
)
def test_what_nobody_takes_for_a_jwt_does_not_look_like_one(token):
    assert not looks_like_jwt(token)
