"""A FastMCP server that reaches its own things in more ways than by the message that names them, for rows of attacks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastmcp import Context, FastMCP
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.server.transforms import ResourcesAsTools

from mcp_oauth2_deps.mcp import current_token, scopes

GOLD = "what only the holder of files:secret may read"
TABLE = {"every_call": ["mcp:use"], "resources": {"gold:///*": ["files:secret"]}, "default": "method"}
_POOL = ThreadPoolExecutor(1)


@scopes("files:secret")
def guarded():
    return GOLD


def build():
    """The server; what is remembered, kept in a session, read by a tool or called in a thread belongs to one caller each."""
    server = FastMCP("behind", middleware=[ResponseCachingMiddleware(call_tool_settings={"included_tools": ["remembered"]})])

    @server.resource("gold:///bar")
    def gold() -> str:
        return GOLD

    @server.tool()
    def remembered() -> str:
        return f"remembered for {current_token().subject}"

    @server.tool()
    async def keep(note: str, ctx: Context) -> str:
        await ctx.set_state("note", note)
        return "kept"

    @server.tool()
    async def recall(ctx: Context) -> str:
        return f"recalled {await ctx.get_state('note')}"

    @server.tool()
    async def direct() -> str:
        return guarded()

    @server.tool()
    async def in_a_pool() -> str:
        return await asyncio.get_running_loop().run_in_executor(_POOL, guarded)

    server.add_transform(ResourcesAsTools(server))
    return server
