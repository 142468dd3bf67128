"""The routes to an MCP server: authorize the message, then hand it on untouched.

What an engine does with a message does not belong here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, NamedTuple, NoReturn

from fastapi import APIRouter, FastAPI, HTTPException, Security
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError, MissingCredentialsError
from mcp_oauth2_deps.fastapi.gate import MEMORY_KEY
from mcp_oauth2_deps.fastapi.guards import ScopeGuard
from mcp_oauth2_deps.fastapi.reach import tell_of_mcp_routes
from mcp_oauth2_deps.fastapi.scheme import OAuth2BearerScheme, default_scheme
from mcp_oauth2_deps.instrumentation.logging import facts_line
from mcp_oauth2_deps.mcp.caller import Caller
from mcp_oauth2_deps.mcp.callers import guards
from mcp_oauth2_deps.mcp.cors import CORSRoute, preflight
from mcp_oauth2_deps.mcp.documentation import described
from mcp_oauth2_deps.mcp.engines.choose import engine_for
from mcp_oauth2_deps.mcp.engines.engine import Engine, Transport
from mcp_oauth2_deps.mcp.engines.principals import Principals, called_by
from mcp_oauth2_deps.mcp.handover import Handover, read_message_body
from mcp_oauth2_deps.mcp.lists import ListFilter
from mcp_oauth2_deps.mcp.messages import Message, MessageError, read_message, verify_mirrored_headers
from mcp_oauth2_deps.mcp.rule_values import PublicRequirement
from mcp_oauth2_deps.mcp.rules import Rulebook
from mcp_oauth2_deps.mcp.security_schemes import SecuritySchemes
from mcp_oauth2_deps.mcp.streams import ending_with
from mcp_oauth2_deps.mcp.tool_scopes import LASTING_METHODS, ToolScopes
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.encoding import PARSE_ON_LOOP_BYTES
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement
from mcp_oauth2_deps.protocol.urls import host_fields, path_of
from mcp_oauth2_deps.settings import OAuth2Settings

logger = logging.getLogger(__name__)

_DEFAULT_PATH = "/mcp"


def mcp_router(
    server: Any,
    *,
    scopes: ToolScopes | None = None,
    auth: OAuth2BearerScheme | None = None,
    path: str | None = None,
    list_filter: bool = False,
    describe_security: bool = False,
    **engine_options: Any,
) -> APIRouter:
    """A router that serves an MCP server to callers whose token holds what each message needs.

    It joins the server's lifespan to the app's. A token is asked for before a body is read, and the scopes of a message are
    decided before the server sees it: a shortfall is 403 `insufficient_scope` (RFC 6750 section 3.1), a body that is not one
    message is 400.

    Args:
        server: an `MCPServer` of the official SDK, a FastMCP server, or any ASGI app.
        scopes: what each message needs; without it, any good token will do.
        auth: the scheme that checks tokens; the default one, configured from the environment, when absent.
        path: where the server is; the path of the configured resource when absent.
        list_filter: show in lists only what the caller may use.
        describe_security: tell at each tool in `tools/list` what it needs, as `securitySchemes` (SEP-1488 of MCP).
        engine_options: for the server's own HTTP app, for example `stateless_http=True` or `json_response=True`.

    Raises:
        ValueError: a server that cannot be served; at start-up also a rule for something that the server does not have.
    """
    scheme = auth or default_scheme
    shown = Shown(filtered=list_filter, described=describe_security)
    return MCPRoutes(scheme, engine_for(server, engine_options), scopes or ToolScopes(), path, shown).router()


class Shown(NamedTuple):
    """What lists tell a caller.

    Attributes:
        filtered: only what it may use.
        described: what each tool needs.
    """

    filtered: bool
    described: bool


class MCPRoutes:
    """One MCP server behind its routes."""

    def __init__(self, scheme: OAuth2BearerScheme, engine: Engine, table: ToolScopes, path: str | None, shown: Shown) -> None:
        self._scheme = scheme
        self._engine = engine
        self._table = table
        self._given_path = path
        self._path = "/" + (path if path is not None else _resource_path(scheme)).strip("/")
        self._shown = shown
        self._rules = Rulebook(table, engine, shortens_lists=shown.filtered)
        self._principals = Principals()
        self._app: ASGIApp | None = None
        scheme.gate.scopes.announce_basic(table.base.names())
        scheme.gate.scopes.announce(table.scopes(), advertise=table.advertise)

    def router(self) -> APIRouter:
        """The routes, with a slash at the end and without, neither with a redirect."""
        router = APIRouter(lifespan=self._lifespan, route_class=CORSRoute.of(self._scheme.gate))
        guard = ScopeGuard(self._scheme, self._table.base, optional=self._table.is_mixed)
        demanded = Annotated[AccessToken | None, Security(guard)]

        async def post(request: Request, token: demanded) -> Response:
            return await self._post(request, token)

        async def bodiless(request: Request, token: demanded) -> Response:
            # Without a body there is only the stream of a session to open, or the session to end.
            if token is None:
                self._refuse_without_token(request)
            return self._hand_over(request, self._caller(token), None, lasting=request.method == "GET")

        for path in dict.fromkeys((self._path, self._path.rstrip("/") + "/")):
            shown = path == self._path
            for method, endpoint, summary in (
                ("POST", post, "Send a message to the MCP server"),
                ("GET", bodiless, "Open a stream of messages from the MCP server"),
                ("DELETE", bodiless, "End a session with the MCP server"),
            ):
                router.add_api_route(
                    path,
                    endpoint,
                    methods=[method],
                    summary=summary,
                    include_in_schema=shown,
                    response_model=None,
                    response_class=Response,
                    name=f"mcp_{method.lower()}",
                    **described(method),
                )
            router.add_route(path, preflight(self._scheme.gate), methods=["OPTIONS"], include_in_schema=False)
        return router

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        if self._app is not None:
            raise RuntimeError("this mcp_router is already running in another app; make one router for each app")
        settings = self._scheme.settings
        self._check_path(settings)
        hosts, origins = host_fields(settings.resource)
        transport = Transport(
            (*hosts, *settings.allowed_hosts), (*origins, *settings.cors_origins), max_body_size=settings.max_body_size
        )
        async with AsyncExitStack() as stack:
            self._install_list_steps(stack)
            engine = await stack.enter_async_context(self._engine.run(transport, self._rules))
            try:
                declared = await self._rules.check()
            except ValueError:
                # Raised inside, it would arrive wrapped in the engine's task group.
                await stack.aclose()
                raise
            self._scheme.gate.scopes.announce(declared, advertise=self._table.advertise)
            self._app = engine
            stack.enter_context(guards.one_more())
            tell_of_mcp_routes(app, settings, self._path)
            try:
                yield
            finally:
                self._app = None

    def _check_path(self, settings: OAuth2Settings) -> None:
        wanted = "/" + path_of(settings.resource).strip("/")
        if self._given_path is None and wanted != self._path:
            raise ValueError(
                f"the MCP routes were made at {self._path} before MCP_OAUTH2_RESOURCE was known, whose path is {wanted}; set it "
                f"before the routes are made, or say mcp_router(..., path={wanted!r})"
            )

    def _install_list_steps(self, stack: AsyncExitStack) -> None:
        steps: dict[str, Any] = {}
        if self._shown.described:
            asked = self._scheme.settings.asked_scopes().names
            steps["describe_security"] = SecuritySchemes(self._rules, self._table.base, asked)
        if self._shown.filtered:
            steps["list_filter"] = ListFilter(self._rules, self._engine.server)
        chain = self._engine.middleware
        for name, step in steps.items():
            if chain is None:
                raise ValueError(f"{name}=True needs an MCPServer or a FastMCP server; an ASGI app cannot be looked into")
            # Outermost: nothing that another step answers by itself goes past it.
            chain.insert(0, step)
            stack.callback(chain.remove, step)

    def _refuse_without_token(self, request: Request) -> None:
        """Lets nobody without a token open a stream, which nothing would end. Whoever has an anonymous session may end it."""
        if request.method == "GET":
            # A 401 would send a client to log in as soon as it connects. This says that there is no such stream (MCP,
            # "Listening for messages from the server").
            raise HTTPException(405, "A stream needs a token.", {"Allow": "POST, DELETE"})
        if "mcp-session-id" not in request.headers:
            self._scheme.gate.refuse(MissingCredentialsError(), request, self._table.base)

    async def _post(self, request: Request, token: AccessToken | None) -> Response:
        try:
            body = await read_message_body(request, self._scheme.settings.max_body_size)
            message = read_message(body) if len(body) <= PARSE_ON_LOOP_BYTES else await asyncio.to_thread(read_message, body)
            verify_mirrored_headers(request.scope["headers"], message)
        except MessageError as error:
            if token is None:
                self._scheme.gate.refuse(MissingCredentialsError(), request, self._table.base)
            logger.info("refused with 400: %s %s", error, facts_line({"client": token.client_id, "subject": token.subject}))
            answer = {"code": error.code, "message": str(error)}
            return JSONResponse({"jsonrpc": "2.0", "id": error.message_id, "error": answer}, status_code=400)
        caller = self._caller(token)
        await self._authorize(request, caller, message)
        return self._hand_over(request, caller, body, lasting=message.method in LASTING_METHODS)

    async def _authorize(self, request: Request, caller: Caller, message: Message) -> None:
        decision = await self._rules.decide(message, caller)
        requirement = decision.needed or ScopeRequirement()
        token = caller.token
        if token is None:
            if not isinstance(requirement, PublicRequirement):
                self._scheme.gate.refuse(MissingCredentialsError(), request, self._table.base + requirement)
            self._rules.remember(message, caller, decision)
            return
        try:
            if decision.needed is None:
                if self._table.cannot_compare(message):
                    logger.info(
                        "denied: a URI cannot be compared with the rules; it is encoded too often, has a control character, or a "
                        "scheme, host or path that programs repair"
                    )
                elif not decision.failed:
                    logger.info("denied: one of the %s has no rule; give it one, or set default='method'", message.kind)
                raise InsufficientScopeError(required=(), granted=token.scopes, missing=())
            self._scheme.gate.verify(requirement, token)
        except InsufficientScopeError as error:
            said = " ".join((message.method or "", *message.names[:1])).strip()
            self._scheme.gate.refuse(error, request, requirement, token, said)
        self._rules.remember(message, caller, decision)

    def _caller(self, token: AccessToken | None) -> Caller:
        authenticator = self._scheme.authenticator
        return Caller(token, authenticator.scope_hierarchy, self._rules, ended=authenticator.is_over)

    def _hand_over(self, request: Request, caller: Caller, body: bytes | None, *, lasting: bool) -> Response:
        if self._app is None:
            logger.error("an MCP request came, but the app's lifespan did not run; a mounted app gets none from its parent")
            raise HTTPException(503, "The MCP server is not running.", {"Retry-After": "1"})
        path = self._engine.path or self._path
        # The token stays here: no tool can forward it (MCP, "Token handling").
        headers = [header for header in request.scope["headers"] if header[0] != b"authorization"]
        presented = [value for name, value in request.scope["headers"] if name == b"authorization"]
        place = {"path": path, "raw_path": path.encode(), "root_path": ""}
        changes = {**place, "headers": headers, MEMORY_KEY: {}, **self._principals.user_of(caller, presented)}
        app = called_by(caller, self._app)
        if lasting and caller.token is not None:

            def refuse() -> NoReturn:
                self._scheme.gate.refuse(InvalidTokenError("expired", claim="exp"), request, self._table.base, caller.token)

            app = ending_with(caller.token, self._scheme.authenticator, app, refuse)
        return Handover(app, changes=changes, body=body)


def _resource_path(scheme: OAuth2BearerScheme) -> str:
    """The path of the resource, as far as it is known when routes are made."""
    if scheme.gate.is_configured:
        return path_of(scheme.settings.resource)
    try:
        return path_of(OAuth2Settings().resource)
    except ValidationError:
        return _DEFAULT_PATH
