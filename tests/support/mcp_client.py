"""An MCP client of three lines, over a synchronous test client."""

ACCEPT = {"Accept": "application/json, text/event-stream"}


def send(client, headers, method, params=None):
    message = {"jsonrpc": "2.0", "id": 1, "method": method} | ({} if params is None else {"params": params})
    return client.post("/mcp", json=message, headers={**ACCEPT, **headers})


def call_tool(client, headers, tool, **arguments):
    return send(client, headers, "tools/call", {"name": tool, "arguments": arguments})


def open_session(client, headers):
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    return {"Mcp-Session-Id": send(client, headers, "initialize", hello).headers["mcp-session-id"]}
