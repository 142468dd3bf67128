"""The routes that serve the RFC 9728 document, and the start and stop of the scheme they speak for.

What the document says does not belong here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from mcp_oauth2_deps.openapi import Documentation
from mcp_oauth2_deps.protocol.resource_metadata import WELL_KNOWN_PATH, metadata_path, protected_resource_metadata
from mcp_oauth2_deps.routes import path_of
from mcp_oauth2_deps.settings import OAuth2Settings

if TYPE_CHECKING:
    from mcp_oauth2_deps.security import OAuth2BearerScheme

_METHODS = ["GET", "OPTIONS"]
_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
_PREFLIGHT = _HEADERS | {"Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "*"}
_STATE_KEY = "mcp_oauth2_schemes"


def metadata_router(scheme: "OAuth2BearerScheme") -> APIRouter:
    """A router with the scheme's metadata routes, whose lifespan starts and closes the scheme."""

    async def serve(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        document = _document(request, scheme)
        if document is None:
            return JSONResponse({"detail": "Not Found"}, status_code=404, headers=_HEADERS)
        return JSONResponse(document, headers=_HEADERS)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        served = app.state._state.setdefault(_STATE_KEY, [])  # noqa: SLF001  # `State` itself has no setdefault
        served.append(scheme)
        try:
            path = path_of(scheme.settings.metadata_url or "")
            # With settings from the environment this place was not known when the routes were built.
            if scheme.settings.metadata_url and not any(getattr(route, "path", None) == path for route in app.routes):
                app.router.add_route(path, serve, methods=_METHODS, include_in_schema=False)
            _check_place(app, metadata_path(scheme.settings.resource))
            Documentation.install(app, scheme)
            await scheme.start()
            yield
        finally:
            served.remove(scheme)
            await scheme.aclose()

    router = APIRouter(lifespan=lifespan)
    for path in _paths(scheme):
        # A plain route: dependencies of the app or of a router must not guard it.
        router.add_route(path, serve, methods=_METHODS, include_in_schema=False)
    return router


def _check_place(app: FastAPI, path: str) -> None:
    """A document that is not where clients look is none: they never get as far as a login."""
    scope = {"type": "http", "method": "GET", "path": unquote(path), "root_path": "", "headers": [], "app": app}
    if not any(route.matches(scope)[0] is Match.FULL for route in app.routes):
        raise ValueError(f"the metadata is not served at {path}; include the router into the app itself, without a prefix")


def _paths(scheme: "OAuth2BearerScheme") -> list[str]:
    if not scheme.is_configured:
        return [WELL_KNOWN_PATH, WELL_KNOWN_PATH + "/{resource_path:path}"]
    paths = {WELL_KNOWN_PATH, *_places(scheme.settings)}
    return sorted(paths | {path + "/" for path in paths})


def _places(settings: OAuth2Settings) -> set[str]:
    """The paths of the document without a slash at the end; with one they answer too."""
    urls = [metadata_path(settings.resource), *([settings.metadata_url] if settings.metadata_url else [])]
    return {path_of(url).rstrip("/") for url in urls}


def _document(request: Request, own: "OAuth2BearerScheme") -> dict[str, object] | None:
    schemes = getattr(request.app.state, _STATE_KEY, None) or [own]
    asked = request.scope["path"].removeprefix(request.scope.get("root_path", "")).rstrip("/")
    # The root form speaks for the app only while the app is one resource.
    single = len({scheme.settings.resource for scheme in schemes}) == 1
    for scheme in (own, *schemes):
        settings = scheme.settings
        if asked in _places(settings) or (asked == WELL_KNOWN_PATH and single):
            scopes = dict.fromkeys((*settings.scopes, *scheme.advertised_scopes))
            return protected_resource_metadata(resource=settings.resource, issuers=settings.issuer, scopes=scopes)
    return None
