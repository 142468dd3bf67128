"""Whether the app answers where clients will look, by what the settings say of its public URL.

What is answered there does not belong here.
"""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.routing import Match

from mcp_oauth2_deps.protocol.resource_metadata import metadata_path, metadata_url
from mcp_oauth2_deps.protocol.urls import path_of
from mcp_oauth2_deps.settings import OAuth2Settings

logger = logging.getLogger(__name__)


def serves(app: FastAPI, method: str, path: str) -> bool:
    """Whether a route of the app answers such a request; a `root_path` of the app counts."""
    scope = {"type": "http", "method": method, "path": unquote(path), "root_path": app.root_path, "headers": [], "app": app}
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def warn_of_missing_metadata(scope: Mapping[str, Any], settings: OAuth2Settings) -> None:
    """A warning where a challenge names a document that the app of this request does not serve.

    An app that is mounted in another one is not asked: there the document is served by the outer one.
    """
    app = scope.get("app")
    if settings.metadata_url is not None or not isinstance(app, FastAPI) or scope.get("root_path", "") != app.root_path:
        return
    if serves(app, "GET", metadata_path(settings.resource)):
        return
    logger.warning(
        "challenges name %s, but no route of this app serves %s, so clients cannot find the login. Add "
        "app.include_router(auth.router()), or protected_resource_router() for the settings of the environment",
        metadata_url(settings.resource),
        metadata_path(settings.resource),
    )


def tell_of_mcp_routes(app: FastAPI, settings: OAuth2Settings, path: str) -> None:
    """One line about what is served where, and a warning where the public URL leads to another path."""
    logger.info(
        "MCP at %s of this app, publicly %s; challenges name %s; log in at %s",
        path,
        settings.resource,
        metadata_url(settings.resource, settings.metadata_url),
        ", ".join(settings.authorization_servers),
    )
    public = path_of(settings.resource)
    if not serves(app, "POST", public):
        behind = f" below its root_path {app.root_path!r}" if app.root_path else ""
        logger.warning(
            "clients call %s, but no route of this app%s answers POST %s: the MCP routes are at %s. Give mcp_router a path, "
            "include it without a prefix, or correct the setting resource; ignore this only if a proxy rewrites the path",
            settings.resource,
            behind,
            public,
            path,
        )
