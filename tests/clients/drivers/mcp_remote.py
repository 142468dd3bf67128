"""mcp-remote: `mcp_remote.py MCP_URL MODE PROXY`, the proxy being a program for Node.js that speaks stdio to us."""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from tour import tour


async def main(mcp_url, mode, proxy):
    # Left to itself it hands down only a few variables.
    server = StdioServerParameters(command="node", args=[proxy, mcp_url], env=dict(os.environ))
    async with Client(server, mode=mode, read_timeout_seconds=40) as client:
        return await tour(client)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201  # its output
