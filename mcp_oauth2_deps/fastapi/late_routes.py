"""Routes that are added to a running app: nobody checked at the start whether FastAPI can see their guards.

What is wrong with a route does not belong here.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from typing import NoReturn

from fastapi import Depends, FastAPI, HTTPException, WebSocketException
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from starlette.requests import HTTPConnection
from starlette.status import WS_1011_INTERNAL_ERROR
from starlette.types import Receive, Scope, Send

from mcp_oauth2_deps.fastapi.demands import lists_of_routes, unresolved_dependants

logger = logging.getLogger(__name__)


async def _refuse(connection: HTTPConnection) -> NoReturn:
    """Takes the place of a guard that FastAPI dropped."""
    if connection.scope["type"] == "websocket":
        raise WebSocketException(WS_1011_INTERNAL_ERROR)
    raise HTTPException(503, "This route is not served.")


class LateRoutes:
    """Stands before the routing of an app. Where routes were added since the last request, they are looked at first."""

    def __init__(self, app: FastAPI) -> None:
        """The routes that are there have been looked at."""
        self._app = app
        self._inner = app.router.middleware_stack
        self._known = lists_of_routes(app)

    @classmethod
    @contextmanager
    def watched(cls, app: FastAPI) -> Iterator[None]:
        """While the block lasts, no route that is added runs unguarded for a type that FastAPI could not resolve."""
        ours = cls(app)
        app.router.middleware_stack = ours
        try:
            yield
        finally:
            # Somebody else may have put another one around it, for whom it goes on.
            if app.router.middleware_stack is ours:
                app.router.middleware_stack = ours._inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands everything on to the routing."""
        if scope["type"] != "lifespan" and self._has_changed():
            self._look()
        await self._inner(scope, receive, send)

    def _has_changed(self) -> bool:
        for holder, known in self._known:
            routes = holder.routes
            if len(routes) != len(known) or not all(map(is_, routes, known)):
                return True
        return False

    def _look(self) -> None:
        for dependant, unresolved in unresolved_dependants(self._app.routes):
            if any(child.call is _refuse for child in dependant.dependencies):
                continue
            logger.error(
                "a route that was added to the running app is not served: the type of a parameter does not exist at run time, so "
                "that FastAPI reads it from the query, and drops a `Security(...)` in it: %s. Import it outside of "
                "`if TYPE_CHECKING:`",
                "; ".join(unresolved),
            )
            dependant.dependencies.insert(0, get_parameterless_sub_dependant(depends=Depends(_refuse), path=""))
        self._known = lists_of_routes(self._app)
