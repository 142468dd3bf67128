"""MCP servers behind the dependencies: scopes per method and per tool, and who is calling, in the tool."""

from mcp_oauth2_deps.mcp.callers import current_token, current_token_or_none, without_caller
from mcp_oauth2_deps.mcp.function_scopes import scopes
from mcp_oauth2_deps.mcp.router import mcp_router
from mcp_oauth2_deps.mcp.rule_values import PUBLIC
from mcp_oauth2_deps.mcp.tool_scopes import ToolScopes

__all__ = ["PUBLIC", "ToolScopes", "current_token", "current_token_or_none", "mcp_router", "scopes", "without_caller"]
