"""The form of a token: whether anybody could take it for a JWT, and why one is refused that nobody here can judge.

What it says does not belong here.
"""

import re
from base64 import b64decode

from mcp_oauth2_deps.errors import InvalidTokenError
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES

_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_LAX_ALPHABET = str.maketrans("-_", "+/")
_JWS_DOTS = 2
_JWE_DOTS = 4


def looks_like_jwt(token: str) -> bool:
    """Whether any reader, however lax, could take the token for a signed JWT.

    It has three parts or more, but not the five of a JWE, and the first decodes to something that begins with `{`: a reader may
    skip characters that base64 does not have, and white space before the header, and know both alphabets.
    """
    dots = token.count(".")
    if dots < _JWS_DOTS or dots == _JWE_DOTS:
        return False
    header = token[:MAX_TOKEN_BYTES].partition(".")[0].translate(_LAX_ALPHABET)
    characters = "".join(one for one in header if one.isascii() and (one.isalnum() or one in "+/"))
    # One character alone holds no byte.
    characters = characters[: len(characters) - (len(characters) % 4 == 1)]
    decoded = b64decode(characters + "=" * (-len(characters) % 4))
    return decoded.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"{")


def is_token(text: str) -> bool:
    """Whether the text could be a bearer token at all (RFC 6750 section 2.1). What comes from an HTTP field was asked before."""
    return _B64TOKEN.fullmatch(text) is not None


def nobody_can_judge(token: str) -> InvalidTokenError:
    """Why a token is refused that no verifier knows, where nobody is there to ask about it.

    Returns:
        `malformed` where it could be no token at all, or has the three parts of a JWT; `encrypted` for the five parts of a JWE
        (RFC 7516 section 3.1); else `opaque`.
    """
    dots = token.count(".")
    if not is_token(token) or dots == _JWS_DOTS:
        return InvalidTokenError("malformed")
    return InvalidTokenError("encrypted" if dots == _JWE_DOTS else "opaque")
