"""What OpenAPI says of the routes, so that a message can be sent from Swagger UI.

What a message needs does not belong here.
"""

from typing import Any

_LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
_CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "the name of a tool", "arguments": {}}}
_CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "Swagger UI", "version": "1"}}
_HELLO = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": _CLIENT}
_MESSAGE = {
    "title": "JSON-RPC message",
    "type": "object",
    "required": ["jsonrpc"],
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "id": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "method": {"type": "string"},
        "params": {"type": "object"},
    },
}
_EXAMPLES = {
    "list": {"summary": "What tools are there? (with stateless_http=True)", "value": _LIST},
    "call": {"summary": "Call a tool (with stateless_http=True)", "value": _CALL},
    "hello": {"summary": "Open a session", "value": _HELLO},
}


def described(method: str) -> dict[str, Any]:
    """What `add_api_route` is told of the route for this HTTP method."""
    if method != "POST":
        return {}
    body = {"required": True, "content": {"application/json": {"schema": _MESSAGE, "examples": _EXAMPLES}}}
    # Swagger UI sends this as `Accept`. The engine chooses between JSON and a stream of events, and wants to be allowed both.
    answer = {"description": "The answer, or a stream of events that ends with it.", "content": {"*/*": {}}}
    return {"openapi_extra": {"requestBody": body}, "responses": {200: answer}}
