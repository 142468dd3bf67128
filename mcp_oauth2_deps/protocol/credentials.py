"""The `Authorization` field of a request, read into credentials or refused.

What the token says does not belong here.
"""

import re
from collections.abc import Sequence

from mcp_oauth2_deps.errors import InvalidRequestError
from mcp_oauth2_deps.models import Credentials
from mcp_oauth2_deps.protocol.jws import MAX_TOKEN_BYTES

_MAX_FIELD_BYTES = MAX_TOKEN_BYTES + len("Bearer ")
_BEARER = re.compile(rb"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def read_credentials(fields: Sequence[bytes]) -> Credentials | None:
    """The one Bearer token in the values of the `Authorization` fields (RFC 6750 section 2.1); none when there is none.

    Another authentication scheme counts as nothing sent. Tokens in a query or a form are never looked for
    (OAuth 2.1 section 5.1).

    Does not check: anything about the token but its characters and its length.

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
    if _CONTROL.search(value):
        raise InvalidRequestError("malformed_credentials")
    if value.split(b" ", 1)[0].lower() != b"bearer":
        return None
    match = _BEARER.fullmatch(value)
    if match is None:
        raise InvalidRequestError("malformed_credentials")
    return Credentials("bearer", match[1].decode("ascii"))
