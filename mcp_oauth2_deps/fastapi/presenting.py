"""One connection to what its caller presented.

Whether that is any good does not belong here.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mcp_oauth2_deps.models import Presented
from mcp_oauth2_deps.protocol.credentials import read_credentials

_FIELDS = frozenset({b"authorization", b"dpop"})

Sent = tuple[list[tuple[bytes, bytes]], str, bytes]
"""All of a connection that an outcome is made from: the fields that matter, the method, the path. When one of them differs,
the token is verified again."""


def what_was_sent(scope: Mapping[str, Any]) -> Sent:
    """What the connection of this ASGI scope brought along. A WebSocket is opened by `GET` (RFC 6455 section 4.1)."""
    fields = [field for field in scope["headers"] if field[0] in _FIELDS]
    return fields, scope.get("method", "GET"), scope.get("raw_path") or quote(scope.get("path", "")).encode()


def read_presented(sent: Sent, origin: str) -> Presented | None:
    """What was presented, nothing verified; none when no token was.

    Args:
        sent: what the connection brought along.
        origin: where the world reaches this server. Never taken from `Host`, which a caller writes.

    Raises:
        InvalidRequestError: there is not exactly one well-formed token.
    """
    fields, method, path = sent
    tokens: list[bytes] = []
    proofs: list[bytes] = []
    for name, value in fields:
        (tokens if name == b"authorization" else proofs).append(value)
    return read_credentials(tokens, tuple(proofs), method, origin + path.decode("latin-1"))
