"""The routes that serve the RFC 9728 document.

What the document says does not belong here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.fastapi.reach import serves
from mcp_oauth2_deps.protocol.resource_metadata import WELL_KNOWN_PATH, metadata_path, protected_resource_metadata
from mcp_oauth2_deps.protocol.urls import path_of
from mcp_oauth2_deps.settings import OAuth2Settings

_METHODS = ["GET", "OPTIONS"]
_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
_PREFLIGHT = _HEADERS | {"Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "*"}
_STATE_KEY = "mcp_oauth2_gates"


class MetadataRoutes:
    """The metadata of one gate at its well-known places, and the root form while the app is one resource."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes. They are plain ones: dependencies of the app or of a router must not guard them."""
        for path in self._paths():
            router.add_route(path, self._serve, methods=_METHODS, include_in_schema=False)

    @contextmanager
    def served_by(self, app: FastAPI) -> Iterator[None]:
        """While open, the app's root form counts this gate too.

        Raises:
            ValueError: the app does not answer where clients look for the document, so they would never find the login.
        """
        gates = app.state._state.setdefault(_STATE_KEY, [])  # noqa: SLF001  # `State` itself has no setdefault
        gates.append(self._gate)
        try:
            settings = self._gate.settings
            path = path_of(settings.metadata_url or "")
            # With settings from the environment this place was not known when the routes were built.
            if settings.metadata_url and not any(getattr(route, "path", None) == path for route in app.routes):
                app.router.add_route(path, self._serve, methods=_METHODS, include_in_schema=False)
            _verify_place(app, metadata_path(settings.resource))
            yield
        finally:
            gates.remove(self._gate)

    async def _serve(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        document = self._document(request)
        if document is None:
            return JSONResponse({"detail": "Not Found"}, status_code=404, headers=_HEADERS)
        return JSONResponse(document, headers=_HEADERS)

    def _paths(self) -> list[str]:
        if not self._gate.is_configured:
            return [WELL_KNOWN_PATH, WELL_KNOWN_PATH + "/{resource_path:path}"]
        paths = {WELL_KNOWN_PATH, *_places(self._gate.settings)}
        return sorted(paths | {path + "/" for path in paths})

    def _document(self, request: Request) -> dict[str, object] | None:
        gates: list[Gate] = getattr(request.app.state, _STATE_KEY, None) or [self._gate]
        asked = request.scope["path"].removeprefix(request.scope.get("root_path", "")).rstrip("/")
        # The URL without the resource's path is served only if this app hosts exactly one resource.
        single = len({gate.settings.resource for gate in gates}) == 1
        for gate in (self._gate, *gates):
            settings = gate.settings
            if asked in _places(settings) or (asked == WELL_KNOWN_PATH and single):
                scopes = settings.asked_scopes().names(gate.scopes.supported(settings.scopes))
                return protected_resource_metadata(
                    resource=settings.resource,
                    issuers=settings.authorization_servers,
                    scopes=scopes,
                    name=settings.resource_name,
                    documentation=settings.resource_documentation,
                )
        return None


def _verify_place(app: FastAPI, path: str) -> None:
    if not serves(app, "GET", path):
        raise ValueError(f"the metadata is not served at {path}; include the router into the app itself, without a prefix")


def _places(settings: OAuth2Settings) -> set[str]:
    """The paths of the document without a slash at the end; with one they answer too."""
    urls = [metadata_path(settings.resource), *([settings.metadata_url] if settings.metadata_url else [])]
    return {path_of(url).rstrip("/") for url in urls}
