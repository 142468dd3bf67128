"""Starts the demo in one terminal; Ctrl-C ends it."""

import argparse
import json
import logging
import sys
import urllib.parse
import urllib.request
from contextlib import ExitStack, suppress
from secrets import token_urlsafe
from socket import socket

from mcp_oauth2_deps import OAuth2Settings
from mcp_oauth2_deps.protocol.resource_metadata import metadata_url
from mcp_oauth2_deps.testing import Client, DevelopmentIssuer
from mcp_oauth2_deps.testing.loopback import bind_loopback

try:
    import uvicorn

    from mcp_oauth2_deps.demo.app import SCOPES, create_app
    from mcp_oauth2_deps.demo.docs import REDIRECT_PATH
except ImportError as error:
    sys.exit(f"The demo needs {error.name}; install mcp-oauth2-deps[demo].")

_CLIENT = "demo"
_SWAGGER_CLIENT = "swagger-ui"
# As which the guarded app asks the issuer about opaque tokens.
_SERVER_CLIENT = "demo-server"
# Where MCP Inspector runs in a browser.
_INSPECTOR = ("http://localhost:6274", "http://127.0.0.1:6274")


class _AnnouncedServer(uvicorn.Server):
    """A server that prints what to try as soon as it answers."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            print(self._announcement, flush=True)  # noqa: T201  # a demo speaks on the terminal


def main(arguments: list[str] | None = None) -> int:
    """Runs both servers until Ctrl-C; returns the exit status, 1 when a port is taken.

    Example:
        `main(["--port", "8001", "--issuer-port", "9001"])`
    """
    parser = argparse.ArgumentParser(prog="python -m mcp_oauth2_deps.demo", description="For development, on loopback only.")
    parser.add_argument("--port", type=int, default=8000, help="port of the guarded app (default 8000)")
    parser.add_argument("--issuer-port", type=int, default=9000, help="port of the development issuer (default 9000)")
    parser.add_argument("--opaque", action="store_true", help="opaque tokens: the app asks the issuer about each (RFC 7662)")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("mcp_oauth2_deps").setLevel(logging.INFO)
    # Ctrl-C may come twice: from the terminal and from the process that started this one.
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        try:
            option, port = "--port", options.port
            listener = stack.enter_context(bind_loopback(port))
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            option, port = "--issuer-port", options.issuer_port
            # A secret that is the same everywhere would let any program or page that knows this demo fetch tokens.
            secret = token_urlsafe(24)
            issuer = stack.enter_context(_make_issuer(base, secret, opaque=options.opaque).serve(port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "no such port"
            message = f"Port {port} on 127.0.0.1 cannot be used ({reason}); choose another with {option}."
            print(message, file=sys.stderr)  # noqa: T201  # a demo speaks on the terminal
            return 1
        _serve(issuer, listener, base, secret)
    print("\nStopped.", flush=True)  # noqa: T201  # a demo speaks on the terminal
    return 0


def _make_issuer(base: str, secret: str, *, opaque: bool) -> DevelopmentIssuer:
    resource = f"{base}/mcp"
    pages = (base, base.replace("127.0.0.1", "localhost"))
    clients = {
        _CLIENT: Client(secret, frozenset(SCOPES)),
        _SERVER_CLIENT: Client(token_urlsafe(24)),
        _SWAGGER_CLIENT: Client(redirect_uris=tuple(page + REDIRECT_PATH for page in pages), name="Swagger UI of the demo"),
    }
    return DevelopmentIssuer(
        algorithm="ES256", audience=resource, resources=[resource], scopes=SCOPES, clients=clients, opaque=opaque
    )


def _serve(issuer: DevelopmentIssuer, listener: socket, base: str, secret: str) -> None:
    asked = {"client_id": _SERVER_CLIENT, "client_secret": issuer.clients[_SERVER_CLIENT].secret}
    settings = OAuth2Settings(
        issuer=issuer.url,
        resource=f"{base}/mcp",
        scopes=SCOPES,
        cors_origins=_INSPECTOR,
        swagger_client_id=_SWAGGER_CLIENT,
        allow_insecure_http=True,
        introspection="opaque" if issuer.opaque else "off",
        **(asked if issuer.opaque else {}),
    )
    # A client that keeps a stream open must not keep the demo from ending.
    config = uvicorn.Config(create_app(settings), log_level="warning", timeout_graceful_shutdown=2)
    # uvicorn stops gracefully, and then raises the signal again.
    with suppress(KeyboardInterrupt):
        _AnnouncedServer(config, _announcement(issuer, settings, base, secret)).run(sockets=[listener])


def _announcement(issuer: DevelopmentIssuer, settings: OAuth2Settings, base: str, secret: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": _CLIENT, "client_secret": secret, "resource": settings.resource}
    narrow, right = (_fetch_token(issuer, form | {"scope": scope}) for scope in ("mcp:use", "mcp:use files:read"))
    call = f"curl -i {base}/files"
    fetch = " ".join([f"curl -s {issuer.url}/token", *(f"-d {name}={value}" for name, value in form.items())])
    ask = f"""
What the issuer says of the right token above; the app asks it the same, as a client of its own, once in ten seconds
curl -s -u {_CLIENT}:{secret} {issuer.url}/introspect -d token={right}
"""
    return f"""
For development only, reachable from this machine only; the keys are new at each start. Ctrl-C stops both servers.

  MCP server   {settings.resource}  (tools: whoami, read_file, write_file, delete_file)
  REST         {base}/files  (try it with a login at {base}/docs)
  metadata     {metadata_url(settings.resource)}
  issuer       {issuer.url}  (log in as alice with the password alice, or bob with bob;
               token endpoint {issuer.url}/token; tokens last an hour)
  client       {_CLIENT}, whose secret of this start is {secret}

Connect an MCP client; each logs in by itself and steps up when a tool needs more
  MCP Inspector  npx @modelcontextprotocol/inspector   then: Streamable HTTP, {settings.resource}, via direct connection
  mcp-remote     npx mcp-remote {settings.resource}
  Python SDK     uv run python -m mcp_oauth2_deps.demo.client {settings.resource}
                 (with --document it does not register, but is known by the URL of a document about it)

Without a token: 401, and the challenge that tells a client where to log in
{call}

With a token that lacks the scope files:read: 403
{call} -H "Authorization: Bearer {narrow}"

With the right token: 200, and who is calling
{call} -H "Authorization: Bearer {right}"

Another token, for the scopes that you name
{fetch} -d "scope=mcp:use files:write"
{ask if issuer.opaque else ""}"""


def _fetch_token(issuer: DevelopmentIssuer, form: dict[str, str]) -> str:
    """A token from the issuer's own token endpoint (RFC 6749 section 4.4, RFC 8707 section 2)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{issuer.url}/token", urllib.parse.urlencode(form).encode(), timeout=10) as response:
        return str(json.load(response)["access_token"])


if __name__ == "__main__":
    sys.exit(main())
