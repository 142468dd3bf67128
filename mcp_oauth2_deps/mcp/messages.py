"""One JSON-RPC message of MCP, read strictly: what a decision is taken from is what the engine will execute.

What a message needs does not belong here.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_oauth2_deps.protocol.encoding import parse_json_object

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS, HEADER_MISMATCH = -32700, -32600, -32602, -32020

# What a method acts on, and the parameter that names it. Methods on one thing only.
_NAMED = {
    "tools/call": ("tools", "name"),
    "prompts/get": ("prompts", "name"),
    "resources/read": ("resources", "uri"),
    "resources/subscribe": ("resources", "uri"),
    "resources/unsubscribe": ("resources", "uri"),
}
# Not in every revision; the server says that it does not know them, also when they name nothing.
_UNNAMED_TOO = frozenset({"resources/subscribe", "resources/unsubscribe"})
_REFERENCES = {"ref/prompt": ("prompts", "name"), "ref/resource": ("resources", "uri")}
_MIRRORED = {b"mcp-method": "Mcp-Method", b"mcp-name": "Mcp-Name"}
_LONGEST_ID = 256
LONGEST_NAME = 8192
# Each is compared with every rule, which the event loop waits for.
_MOST_NAMES, _LONGEST_NAMES = 1000, 64 * 1024
_JSON_TYPE = re.compile(r'application/json(?:\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE)
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


@dataclass(frozen=True, slots=True)
class Message:
    """One JSON-RPC message as MCP sends it.

    Attributes:
        method: none in a response to the server.
        kind: what the method acts on, if on something that has a name: `tools`, `prompts` or `resources`.
        names: the names or URIs of these things.
        message_id: `id`, which an answer repeats; none in a notification.
        params: what was sent with it.
    """

    method: str | None
    kind: str | None = None
    names: tuple[str, ...] = ()
    message_id: str | int | None = None
    params: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


class MessageError(Exception):
    """A body that is not one JSON-RPC message as MCP sends it: 400 with a JSON-RPC error, never handed on.

    Attributes:
        code: the JSON-RPC error code.
        message_id: the `id` of the message, where it is known.
    """

    def __init__(self, code: int, message: str, message_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message_id = message_id


def is_json_content_type(value: str) -> bool:
    """Whether the content type says JSON in UTF-8, and nothing else."""
    return _JSON_TYPE.fullmatch(value.strip()) is not None


def read_message(body: bytes) -> Message:
    """The one message in a body (JSON-RPC 2.0 section 4; MCP allows no batches).

    Raises:
        MessageError: anything else, also what two parsers could read differently.
    """
    try:
        members = parse_json_object(body)
    except ValueError:
        raise MessageError(PARSE_ERROR, "The body must be one JSON object in UTF-8, no batch, with unique names.") from None
    message_id = _read_id(members)
    method, params = members.get("method"), members.get("params", {})
    if members.get("jsonrpc") != "2.0":
        raise MessageError(INVALID_REQUEST, "The member jsonrpc must be 2.0.", message_id)
    answers = [name for name in ("result", "error") if name in members]
    if "method" not in members and len(answers) == 1 and message_id is not None:
        return Message(None, message_id=message_id)
    if not isinstance(method, str) or answers:
        raise MessageError(INVALID_REQUEST, "The message must be one request, notification or response.", message_id)
    if not isinstance(params, dict):
        raise MessageError(INVALID_PARAMS, "The member params must be an object.", message_id)
    return message_of(method, params, message_id)


def message_of(method: str, params: dict[str, Any], message_id: str | int | None = None) -> Message:
    """The request or notification of this method.

    Raises:
        MessageError: the parameters name nothing that the method acts on, or too much.
    """
    try:
        kind, names = _named_things(method, params)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise MessageError(INVALID_PARAMS, "The params name nothing that the method acts on, or too much.", message_id) from None
    return Message(method, kind, names, message_id, params)


def _read_id(members: dict[str, Any]) -> str | int | None:
    message_id = members.get("id")
    if isinstance(message_id, str) and len(message_id) <= _LONGEST_ID:
        return message_id
    if isinstance(message_id, int) and not isinstance(message_id, bool) and abs(message_id) < 1 << 63:
        return message_id
    if "id" in members:
        raise MessageError(INVALID_REQUEST, "The member id must be a string or an integer, and not a long one.")
    return None


def _named_things(method: str, params: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    if method in _NAMED:
        kind, member = _NAMED[method]
        if method in _UNNAMED_TOO and member not in params:
            return kind, ()
        return kind, _strings([params[member]])
    if method == "completion/complete":
        kind, member = _REFERENCES[params["ref"]["type"]]
        return kind, _strings([params["ref"][member]])
    if method == "subscriptions/listen":
        wanted = params.get("notifications", {})
        # Engines may take the second spelling too.
        uris = [wanted[name] for name in ("resourceSubscriptions", "resource_subscriptions") if wanted.get(name) is not None]
        return "resources", _few(tuple(dict.fromkeys(uri for some in uris for uri in _strings(some))))
    return None, ()


def _strings(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("names are strings")
    if any(len(value) > LONGEST_NAME for value in values):
        raise ValueError("a name is longer than any")
    return tuple(values)


def _few(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > _MOST_NAMES or sum(map(len, values)) > _LONGEST_NAMES:
        raise ValueError("more names than anybody needs at once")
    return values


def verify_mirrored_headers(headers: Iterable[tuple[bytes, bytes]], message: Message) -> None:
    """Guarantees that `Mcp-Method` and `Mcp-Name`, where sent, say once what the body says, whatever the protocol version.

    Does not check: that they are sent, which the engine demands where the revision does.

    Raises:
        MessageError: one of them says something else, is there twice, or cannot be read.
    """
    sent: dict[bytes, str] = {}
    for name, value in headers:
        if name in _MIRRORED:
            if name in sent:
                raise MessageError(HEADER_MISMATCH, f"The field {_MIRRORED[name]} is there twice.", message.message_id)
            sent[name] = value.decode("latin-1").strip()
    for name, said in sent.items():
        fits = said == message.method if name == b"mcp-method" else _names(message, _decoded(said))
        if not fits:
            raise MessageError(HEADER_MISMATCH, f"The field {_MIRRORED[name]} contradicts the body.", message.message_id)


def _names(message: Message, name: str | None) -> bool:
    # Methods of extensions mirror a parameter of theirs; which one is not known here.
    return name is not None and name in (message.names or message.params.values())


def _decoded(value: str) -> str | None:
    match = _ENCODED.fullmatch(value)
    if match is None:
        return value
    try:
        decoded = b64decode(match[1], validate=True)
        return decoded.decode() if b64encode(decoded).decode("ascii") == match[1] else None
    except ValueError:
        return None
