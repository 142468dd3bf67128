"""What an `Authorization` field holds: one Bearer token, nothing, or something malformed."""

from hashlib import sha256

import pytest

from mcp_oauth2_deps.errors import InvalidRequestError
from mcp_oauth2_deps.models import Presented
from mcp_oauth2_deps.protocol.credentials import read_credentials
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES


@pytest.mark.parametrize(
    ("value", "token"),
    [
        pytest.param(b"Bearer abc", "abc", id="plain"),
        pytest.param(b"bearer abc", "abc", id="lower case"),
        pytest.param(b"bEARER abc", "abc", id="mixed case"),
        pytest.param(b"Bearer   abc", "abc", id="several spaces"),
        pytest.param(b" \tBearer abc\t ", "abc", id="white space around"),
        pytest.param(b"Bearer aZ09-._~+/==", "aZ09-._~+/==", id="every character of b64token"),
        pytest.param(b"Bearer bearer", "bearer", id="a token that looks like a scheme"),
        pytest.param(b"Bearer " + b"a" * MAX_TOKEN_BYTES, "a" * MAX_TOKEN_BYTES, id="16 KiB"),
    ],
)
def test_one_bearer_token_is_read(value, token):
    assert read_credentials([value]) == Presented(token, scheme="bearer")


def test_what_else_is_presented_is_kept_as_it_came():
    presented = read_credentials([b"Bearer abc"], proofs=(b"x", b""), method="POST", url="https://a.example/mcp")
    assert presented == Presented("abc", proofs=(b"x", b""), method="POST", url="https://a.example/mcp")
    assert presented.certificate is None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b""],
        [b"  "],
        [b"Basic YTpi"],
        [b"DPoP abc"],
        [b"Bearertoken"],
        [b"Bearer2 abc"],
        [b"abc"],
        [b"XBearer abc"],
        [b'Digest a="b"'],
    ],
)
def test_another_scheme_or_none_is_nothing_sent(fields):
    assert read_credentials(fields) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param([b"Bearer abc", b"Bearer abc"], "multiple_credentials", id="two fields"),
        pytest.param([b"Bearer abc", b"Basic YTpi"], "multiple_credentials", id="two schemes"),
        pytest.param([b"", b"Bearer abc"], "multiple_credentials", id="an empty field first"),
        pytest.param([b"Bearer"], "malformed_credentials", id="no token"),
        pytest.param([b"Bearer "], "malformed_credentials", id="only a space"),
        pytest.param([b"Bearer abc def"], "malformed_credentials", id="two tokens"),
        pytest.param([b"Bearer abc, Bearer def"], "malformed_credentials", id="two credentials in one field"),
        pytest.param([b"Bearer abc,def"], "malformed_credentials", id="comma"),
        pytest.param([b'Bearer "abc"'], "malformed_credentials", id="quotes"),
        pytest.param([b"Bearer a=b"], "malformed_credentials", id="equals sign inside"),
        pytest.param([b"Bearer ="], "malformed_credentials", id="padding only"),
        pytest.param([b"Bearer ab\xc3\xa9"], "malformed_credentials", id="not ASCII"),
        pytest.param([b"Bearer\tabc"], "malformed_credentials", id="tab for a space"),
        pytest.param([b"Bearer \tabc"], "malformed_credentials", id="tab after the space"),
        pytest.param([b"Bearer a=X"], "malformed_credentials", id="padding before the end"),
        pytest.param([b"Bearer abc\ndef"], "malformed_credentials", id="line feed inside"),
        pytest.param([b"Bearer abc\n"], "malformed_credentials", id="line feed at the end"),
        pytest.param([b"Bearer abc\0"], "malformed_credentials", id="zero byte"),
        pytest.param([b"Basic YTpi\x7f"], "malformed_credentials", id="control character in another scheme"),
        pytest.param([b"Bearer " + b"a" * (MAX_TOKEN_BYTES + 1)], "oversized_credentials", id="one byte too long"),
        pytest.param([b"Basic " + b"a" * (MAX_TOKEN_BYTES + 2)], "oversized_credentials", id="another scheme too long"),
    ],
)
def test_a_field_that_is_not_one_well_formed_token_is_refused(fields, reason):
    with pytest.raises(InvalidRequestError) as refusal:
        read_credentials(fields)
    assert refusal.value.reason == reason


def test_what_was_presented_does_not_show_its_secrets():
    presented = read_credentials([b"Bearer hush"], proofs=(b"hush",), method="POST", url="https://a.example/mcp")
    presented = presented._replace(certificate=b"hush")
    for text in (repr(presented), str(presented), f"{presented}", f"{[presented]}"):
        assert "hush" not in text
        assert "https://a.example/mcp" in text


def test_the_digest_is_that_of_the_token_and_cannot_be_given():
    assert Presented("abc").digest == sha256(b"abc").digest()
    assert Presented("\ud800").digest != Presented("\ud801").digest
    with pytest.raises(TypeError):
        Presented("abc", digest=b"x")
    with pytest.raises(AttributeError):
        Presented("abc").token = "def"


def test_the_refusal_does_not_show_the_token():
    with pytest.raises(InvalidRequestError) as refusal:
        read_credentials([b"Bearer hush hush"])
    assert "hush" not in str(refusal.value)
