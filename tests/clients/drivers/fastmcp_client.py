"""The FastMCP client with its OAuth helper, which opens a browser: `fastmcp_client.py MCP_URL MODE`."""

import asyncio
import json
import sys

from fastmcp import Client
from tour import tour


async def main(mcp_url, mode):
    async with Client(mcp_url, auth="oauth", mode=mode) as client:
        return await tour(client)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201  # its output
