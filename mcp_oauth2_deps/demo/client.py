"""An MCP client on the official SDK: logs in with the browser, calls the tools, and asks for more scopes as tools need them.

Run it while the demo runs: `python -m mcp_oauth2_deps.demo.client http://127.0.0.1:8000/mcp`.
"""

import asyncio
import sys
import webbrowser
from typing import Any

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mcp_oauth2_deps.testing.loopback import LoopbackServer

_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("whoami", {}),
    ("read_file", {"path": "a.txt"}),
    ("write_file", {"path": "b.txt", "text": "hello"}),
]
_LOGIN_SECONDS = 300


class _Memory:
    """Keeps tokens and the registration for as long as the program runs."""

    def __init__(self) -> None:
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


class _Callback:
    """The page on loopback to which the issuer sends the browser with the code."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.server = LoopbackServer(Starlette(routes=[Route("/callback", self._take)]))

    async def _take(self, request: Request) -> Response:
        self._loop.call_soon_threadsafe(self._answers.put_nowait, dict(request.query_params))
        return PlainTextResponse("Done. You may close this page and go back to the terminal.\n")

    async def answer(self) -> AuthorizationCodeResult:
        """What the issuer answered in the query."""
        async with asyncio.timeout(_LOGIN_SECONDS):
            found = await self._answers.get()
        if "code" not in found:
            raise RuntimeError(f"the login did not succeed: {found.get('error', 'no code came back')}")
        return AuthorizationCodeResult(code=found["code"], state=found.get("state"), iss=found.get("iss"))


async def _open_browser(url: str) -> None:
    print(f"\nLog in (alice, password alice) and consent at\n  {url}", flush=True)  # noqa: T201  # a demo speaks on the terminal
    await asyncio.to_thread(webbrowser.open, url)


async def call_all_tools(mcp_url: str) -> None:
    """Calls one tool after the other; each asks for one scope more than the token holds so far."""
    callback = _Callback()
    with callback.server:
        metadata = OAuthClientMetadata.model_validate(
            {
                "client_name": "mcp-oauth2-deps demo client",
                "redirect_uris": [f"{callback.server.url}/callback"],
                "token_endpoint_auth_method": "none",
            }
        )
        provider = OAuthClientProvider(mcp_url, metadata, _Memory(), _open_browser, callback.answer)
        async with (
            httpx2.AsyncClient(auth=provider, timeout=30) as http,
            Client(streamable_http_client(mcp_url, http_client=http)) as client,
        ):
            for tool, arguments in _CALLS:
                result = await client.call_tool(tool, arguments)
                print(f"{tool}: {getattr(result.content[0], 'text', '')}", flush=True)  # noqa: T201  # a demo speaks on the terminal


if __name__ == "__main__":
    asyncio.run(call_all_tools(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/mcp"))
