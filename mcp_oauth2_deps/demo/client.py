"""An MCP client on the official SDK: logs in with the browser, calls the tools, and asks for more scopes as tools need them.

Run it while the demo runs: `python -m mcp_oauth2_deps.demo.client http://127.0.0.1:8000/mcp`. With `--document` it does not
register: its identifier is the URL of a document about it, which it publishes on loopback for as long as it runs.
"""

import argparse
import asyncio
import webbrowser
from typing import Any

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mcp_oauth2_deps.testing.loopback import LoopbackServer

_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("whoami", {}),
    ("read_file", {"path": "a.txt"}),
    ("write_file", {"path": "b.txt", "text": "hello"}),
]
_LOGIN_SECONDS = 300
_DOCUMENT_PATH = "/client.json"


class _Memory:
    """Keeps tokens and the registration for as long as the program runs."""

    def __init__(self, client: OAuthClientInformationFull | None) -> None:
        self._tokens: OAuthToken | None = None
        self._client = client

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


class _Callback:
    """The page on loopback to which the issuer sends the browser with the code, and the document about this client."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.server = LoopbackServer(Starlette(routes=[Route("/callback", self._take), Route(_DOCUMENT_PATH, self._publish)]))
        self.metadata = {
            "client_name": "mcp-oauth2-deps demo client",
            "redirect_uris": [f"{self.server.url}/callback"],
            "token_endpoint_auth_method": "none",
        }

    @property
    def identifier(self) -> str:
        """The URL of the document (draft-ietf-oauth-client-id-metadata-document section 3)."""
        return self.server.url + _DOCUMENT_PATH

    async def _publish(self, _: Request) -> Response:
        return JSONResponse({"client_id": self.identifier, **self.metadata})

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


async def call_all_tools(mcp_url: str, *, document: bool = False) -> None:
    """Calls one tool after the other; each asks for one scope more than the token holds so far.

    Args:
        mcp_url: the server.
        document: whether the client is known by its document instead of a registration.
    """
    callback = _Callback()
    known = None
    if document:
        # As a client that is known already: the SDK's argument `client_metadata_url` is for documents on https only.
        known = OAuthClientInformationFull.model_validate({"client_id": callback.identifier, **callback.metadata})
    with callback.server:
        metadata = OAuthClientMetadata.model_validate(callback.metadata)
        provider = OAuthClientProvider(mcp_url, metadata, _Memory(known), _open_browser, callback.answer)
        async with (
            httpx2.AsyncClient(auth=provider, timeout=30) as http,
            Client(streamable_http_client(mcp_url, http_client=http)) as client,
        ):
            for tool, arguments in _CALLS:
                result = await client.call_tool(tool, arguments)
                print(f"{tool}: {getattr(result.content[0], 'text', '')}", flush=True)  # noqa: T201  # a demo speaks on the terminal


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m mcp_oauth2_deps.demo.client", description="Logs in, and calls the tools.")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000/mcp", help="of the MCP server (default: the demo's)")
    parser.add_argument("--document", action="store_true", help="be known by a document about this client; do not register")
    options = parser.parse_args()
    asyncio.run(call_all_tools(options.url, document=options.document))
