"""Which engine a server is. Looks only at what the user has imported, so that neither engine has to be installed."""

import sys
from collections.abc import Mapping
from typing import Any

from mcp_oauth2_deps.mcp.engines.asgi import ASGIEngine
from mcp_oauth2_deps.mcp.engines.engine import Engine


def engine_for(server: Any, options: Mapping[str, Any]) -> Engine:
    """The engine for what the user built.

    Raises:
        ValueError: it is neither an MCP server nor an ASGI app, or it has an authorization of its own.
    """
    sdk, fastmcp = sys.modules.get("mcp.server"), sys.modules.get("fastmcp")
    if fastmcp is not None and isinstance(server, fastmcp.FastMCP):
        if server.auth is not None:
            raise ValueError("the FastMCP server has auth= of its own; remove it, mcp_router guards the server")
        from mcp_oauth2_deps.mcp.engines.fastmcp import FastMCPEngine  # noqa: PLC0415  # an extra

        return FastMCPEngine(server, options)
    if sdk is not None and hasattr(server, "streamable_http_app"):
        if getattr(getattr(server, "settings", None), "auth", None) is not None:
            raise ValueError("the MCPServer has auth= of its own; remove it, mcp_router guards the server")
        from mcp_oauth2_deps.mcp.engines.sdk import SDKEngine  # noqa: PLC0415  # an extra

        return SDKEngine(server, options)
    if callable(server):
        if options:
            raise ValueError(f"an ASGI app takes no options; set {', '.join(options)} where it is built")
        return ASGIEngine(server)
    raise ValueError(f"{type(server).__name__} is neither an MCPServer, a FastMCP server nor an ASGI app")
