"""Inputs that lie near to what is right: pieces of good ones, put together wrongly."""

from hypothesis import strategies as st

ISSUER, RESOURCE = "https://auth.example.com", "https://api.example.com/mcp"
# Python and JSON agree on all texts but unpaired surrogates.
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 2**53, 2**63, 2**64, 1e308, 4102444800, 253402300799])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT


def json_values(leaves=SCALARS):
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
    )


JSON = json_values()
WORDS = st.sampled_from(
    [
        ISSUER,
        RESOURCE,
        "a",
        "a b",
        "ES256",
        "RS256",
        "none",
        "HS256",
        "JWT",
        "at+jwt",
        "logout+jwt",
        "Bearer",
        "ID",
        "kid",
        "",
        " ",
        "access",
        "client",
    ]
)
NEAR = WORDS | JSON


def some_of(*names, values=NEAR):
    """An object with some of these members and perhaps others."""
    return st.dictionaries(st.sampled_from(names) | TEXT, values, max_size=6)


HEADERS = some_of("alg", "kid", "typ", "crit", "b64", "enc", "zip", "cty", "jwk", "jku", "x5c", "x5u")
CLAIM_NAMES = "iss aud exp nbf iat sub jti client_id azp scope scp cnf typ nonce at_hash c_hash events token_use"
CLAIMS = some_of(*CLAIM_NAMES.split())
SEGMENTS = st.binary(max_size=24) | st.sampled_from([b"", b"e30", b"eyJhbGciOiJub25lIn0", b"A", b"AA", b"AAA", b"====", b"-_-_"])
FIELDS = st.lists(
    st.sampled_from(
        [
            b"Bearer",
            b"bearer",
            b"Basic",
            b" ",
            b"  ",
            b"\t",
            b",",
            b"=",
            b".",
            b"abc",
            b"e30.e30.e30",
            b"\0",
            b"\r\n",
            b"\xff",
            b'"',
            b";",
        ]
    )
    | st.binary(max_size=8),
    max_size=8,
).map(b"".join)
