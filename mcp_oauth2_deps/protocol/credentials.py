"""The `Authorization` field of a request, read or refused.

What the token says does not belong here.
"""

import re
from collections.abc import Sequence

from mcp_oauth2_deps.errors import InvalidRequestError
from mcp_oauth2_deps.models import Presented
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES

_MAX_FIELD_BYTES = MAX_TOKEN_BYTES + len("Bearer ")
# The characters of RFC 6750's b64token without the padding at its end. Deleting them from 16 KiB is many times faster than
# matching a pattern.
_B64TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def read_credentials(
    fields: Sequence[bytes], proofs: tuple[bytes, ...] = (), method: str = "", url: str = ""
) -> Presented | None:
    """The one Bearer token in the values of the `Authorization` fields (RFC 6750 section 2.1); none when there is none.

    Another authentication scheme counts as nothing sent. Tokens in a query or a form are never looked for
    (OAuth 2.1 section 5.1).

    Does not check: anything about the token but its characters and its length; anything about what else is presented.

    Args:
        fields: the values of all `Authorization` fields.
        proofs: the values of all `DPoP` fields.
        method: the HTTP method.
        url: the URL that was asked for, as the world sees it, without query and fragment.

    Raises:
        InvalidRequestError: several fields, several tokens, characters no token has, or more than 16 KiB.
    """
    if not fields:
        return None
    if len(fields) > 1:
        raise InvalidRequestError("multiple_credentials")
    value = fields[0].strip(b" \t")
    if len(value) > _MAX_FIELD_BYTES:
        raise InvalidRequestError("oversized_credentials")
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() != b"bearer":
        if _CONTROL.search(value):
            raise InvalidRequestError("malformed_credentials")
        return None
    token = rest.lstrip(b" ")
    characters = token.rstrip(b"=")
    if not characters or characters.translate(None, _B64TOKEN):
        raise InvalidRequestError("malformed_credentials")
    return Presented(token.decode("ascii"), "bearer", proofs, None, method, url)
