"""The official Python SDK: `python_sdk.py MCP_URL MODE`, where the mode is `legacy` (2025-11-25) or `auto` (2026-07-28).

`CLIENT_DOCUMENT` is the URL of a document about it, for issuers that take one.
"""

import asyncio
import json
import os
import sys

import httpx2
from headless import walk
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from sdk_login import provider_for
from tour import tour


async def main(mcp_url, mode):
    async with (
        httpx2.AsyncClient(auth=provider_for(mcp_url, walk, document=os.environ.get("CLIENT_DOCUMENT")), timeout=30) as http,
        Client(streamable_http_client(mcp_url, http_client=http), mode=mode) as client,
    ):
        return await tour(client)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201  # its output
