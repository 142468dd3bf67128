"""The engines that execute messages, one file each: the only room that knows the MCP SDK and FastMCP."""
