"""MCP servers of both engines with a tool of every sort of rule, and a caller that speaks raw HTTP to them."""

import json

from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token as fastmcp_token
from mcp.server.auth.middleware.auth_context import get_access_token as sdk_token
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps.mcp import current_token, scopes

MODERN = "2026-07-28"
REVISIONS = ["2025-06-18", "2025-11-25", MODERN]


def build(kind):
    """A server with a tool of every sort of rule."""
    server = MCPServer("test") if kind == "sdk" else FastMCP("test")

    @server.tool()
    async def whoami() -> dict:
        """Who is calling, by every account."""
        ours, sdk, theirs = current_token(), sdk_token(), fastmcp_token() if kind == "fastmcp" else None
        return {
            "ours": ours.subject,
            "sdk": [sdk.subject, sdk.client_id, sdk.claims["iss"], sdk.token],
            "fastmcp": theirs.subject if theirs else None,
        }

    @server.tool()
    def plain() -> str:
        return "plain"

    @server.tool()
    def listed() -> str:
        return "listed"

    @server.tool()
    @scopes("files:write")
    def declared(text: str) -> str:
        return text

    # The SDK's decorator leaves no mark on the function, so the rule may stand outside of it.
    rule, register = scopes(any_of=["team:a", "team:b"]), server.tool()
    below, above = (register, rule) if kind == "sdk" else (rule, register)

    @above
    @below
    async def outside() -> str:
        return "outside"

    @server.resource("file:///public/x")
    def public() -> str:
        return "public"

    @server.resource("file:///secret/{name}")
    def secret(name: str) -> str:
        return name

    @server.resource("memo:///declared/{name}")
    @scopes("memo:read")
    def memo(name: str) -> str:
        return name

    @server.prompt()
    @scopes("prompts:use")
    def hello() -> str:
        return "hello"

    return server


class Caller:
    """One client of the MCP route, speaking raw HTTP."""

    def __init__(self, client, issuer, revision="2025-11-25", **claims):
        self.client, self.revision = client, revision
        claims = {"subject": "alice", "scopes": ["mcp:use"], **claims}
        self.headers = {
            **issuer.bearer(**claims),
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }

    async def post(self, content, path="/mcp", **headers):
        return await self.client.post(path, content=content, headers={**self.headers, **headers})

    def message(self, method, params=None, message_id=1):
        params = dict(params or {})
        if self.revision == MODERN:
            prefix = "io.modelcontextprotocol/"
            info = {"protocolVersion": MODERN, "clientInfo": {"name": "t", "version": "1"}, "clientCapabilities": {}}
            params["_meta"] = {prefix + name: value for name, value in info.items()}
        return {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}

    async def rpc(self, method, params=None, **headers):
        if self.revision == MODERN:
            name = (params or {}).get("name") or (params or {}).get("uri")
            mirrored = {"Mcp-Method": method, "MCP-Protocol-Version": MODERN} | ({"Mcp-Name": name} if name else {})
            headers = mirrored | headers
        return await self.post(json.dumps(self.message(method, params)), **headers)

    async def call(self, tool, **arguments):
        return await self.rpc("tools/call", {"name": tool, "arguments": arguments})

    async def initialize(self):
        """Opens a session, where the server keeps sessions."""
        info = {"protocolVersion": self.revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        answer = await self.rpc("initialize", info)
        assert answer.status_code == 200, answer.text
        session = answer.headers.get("mcp-session-id")
        if session:
            self.headers["Mcp-Session-Id"] = session
            done = await self.post(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            assert done.status_code == 202
        return answer


def result(answer):
    assert answer.status_code == 200, (answer.status_code, answer.text)
    message = answer.json()
    assert "result" in message, message
    return message["result"]


def text_of(answer):
    found = result(answer)
    assert not found.get("isError"), found
    return found["content"][0]["text"]


TABLE = {
    "every_call": ["mcp:use"],
    "tools": {"listed": ["tools:listed"], "whoami": [], "plain": []},
    "resources": {"file:///*": ["files:read"], "file:///secret/*": ["files:secret"]},
}
