"""What FastAPI knows of the matched route: its dependency tree, and the scopes demanded in it.

The only place that reads FastAPI's own structures; where they are absent nothing is found, and each check stands alone.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from fastapi.dependencies.models import Dependant

from mcp_oauth2_deps.models import ScopeRequirement


def path_of(url: str) -> str:
    """The path of a URL, as a route takes it: decoded, as servers hand it on (ASGI, "path")."""
    return unquote(urlsplit(url).path) or "/"


def matched_dependant(scope: Mapping[str, Any]) -> Dependant | None:
    """The dependency tree of the route that was matched.

    FastAPI keeps the tree of an included route beside the route from 0.137 on, in the route itself before.
    """
    route = scope.get("route")
    context = scope.get("fastapi", {}).get("effective_route_context")
    if context is not None and getattr(context, "original_route", None) is route:
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            return dependant  # type: ignore[no-any-return]  # an attribute of an untyped context
    return getattr(route, "dependant", None)


def collect_requirement(dependant: Dependant, scheme: Any, overrides: Mapping[Any, Any]) -> ScopeRequirement:
    """All that the tree demands of this scheme, in the order of declaration; overridden branches demand nothing."""
    all_of: dict[str, None] = {}
    any_of: dict[tuple[str, ...], None] = {}

    def walk(node: Dependant, inherited: tuple[str, ...]) -> None:
        for child in node.dependencies:
            if child.call in overrides:
                continue
            scopes = (*inherited, *(child.own_oauth_scopes or ()))
            if child.call is scheme or child.call is scheme.optional_token:
                all_of.update(dict.fromkeys(scopes))
            if getattr(child.call, "scheme", None) is scheme and hasattr(child.call, "requirement"):
                any_of.update(dict.fromkeys(child.call.requirement.any_of))  # type: ignore[union-attr]  # just asked
            walk(child, scopes)

    walk(dependant, ())
    return ScopeRequirement(tuple(all_of), tuple(any_of))
