"""What FastAPI knows of routes: the dependency tree of the matched one, the scopes demanded in it, parameters without a type.

The only place that reads FastAPI's own structures; where they are absent nothing is found, and each check stands alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ForwardRef, Protocol

from fastapi.dependencies.models import Dependant

from mcp_oauth2_deps.errors import OAuth2Error
from mcp_oauth2_deps.models import AccessToken
from mcp_oauth2_deps.protocol.scopes import ScopeRequirement


class Requirement(Protocol):
    """What one operation demands of a good token. Scopes are one kind."""

    def shortfall(self, token: AccessToken, hierarchy: Mapping[str, frozenset[str]], /) -> OAuth2Error | None:
        """Why the token does not do; nothing when it does.

        Args:
            token: the caller's, verified.
            hierarchy: scope to all scopes it implies.
        """


def matched_dependant(scope: Mapping[str, Any]) -> Dependant | None:
    """The dependency tree of the route that was matched.

    From 0.137 on FastAPI keeps the tree of an included route next to the route; before, in the route itself.
    """
    route = scope.get("route")
    more = scope.get("fastapi")
    context = None if more is None else more.get("effective_route_context")
    if context is not None and getattr(context, "original_route", None) is route:
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            return dependant  # type: ignore[no-any-return]  # an attribute of an untyped context
    return getattr(route, "dependant", None)


def collect_requirement(
    dependant: Dependant, gate: object, verifiers: Iterable[object], overrides: Mapping[Any, Any]
) -> ScopeRequirement:
    """All that the tree demands of one gate, in the order of declaration; overridden branches demand nothing.

    Args:
        dependant: the tree.
        gate: what a guard with alternative scopes carries as its `gate`.
        verifiers: the dependencies of this gate that verify a token; scopes declared above them are demands.
        overrides: `app.dependency_overrides`.
    """
    verifiers = tuple(verifiers)
    all_of: dict[str, None] = {}
    any_of: dict[tuple[str, ...], None] = {}
    live: list[bool] = []

    def walk(node: Dependant, inherited: tuple[str, ...]) -> None:
        for child in node.dependencies:
            if child.call in overrides:
                continue
            scopes = (*inherited, *(child.own_oauth_scopes or ()))
            if any(child.call is verifier for verifier in verifiers):
                all_of.update(dict.fromkeys(scopes))
            if getattr(child.call, "gate", None) is gate and hasattr(child.call, "requirement"):
                requirement: ScopeRequirement = child.call.requirement  # type: ignore[union-attr]  # just asked
                any_of.update(dict.fromkeys(requirement.any_of))
                live.append(requirement.live)
            walk(child, scopes)

    walk(dependant, ())
    return ScopeRequirement(tuple(all_of), tuple(any_of), live=any(live))


def unresolved_dependants(routes: Iterable[object]) -> Iterator[tuple[Dependant, list[str]]]:
    """The dependency trees with parameters whose annotation FastAPI could not resolve; and these, each with where it stands.

    A name that is imported under `if TYPE_CHECKING:` does not exist at run time. Newer versions of FastAPI take the whole
    annotation, with the `Security(...)` in it, for the type of a query parameter; where that has a default, the route runs
    unguarded. Older ones raise a `NameError` at the declaration.
    """
    for _, dependant in _dependants(routes):
        found = list(_unresolved(dependant))
        if found:
            yield dependant, found


def lists_of_routes(app: Any) -> list[tuple[Any, list[object]]]:
    """Everything in an app that holds routes, with the routes that it holds now."""
    seen: dict[int, Any] = {id(app): app}
    for _ in _with_those_behind(app.routes, seen):
        pass
    return [(one, list(one.routes)) for one in seen.values() if isinstance(getattr(one, "routes", None), list | tuple)]


def dependencies_of(routes: Iterable[object]) -> Iterator[tuple[str, object]]:
    """Every dependency of every route, also of mounted apps, with the path of the route."""
    for path, dependant in _dependants(routes):
        for call in _calls(dependant):
            yield path, call


def _dependants(routes: Iterable[object]) -> Iterator[tuple[str, Dependant]]:
    """The dependency tree of every route, also of mounted apps, with the path of the route."""
    for route in _with_those_behind(routes, {}):
        for holder in (route, getattr(route, "starlette_route", None)):
            dependant = getattr(holder, "dependant", None)
            if isinstance(dependant, Dependant):
                yield str(getattr(holder, "path", "a route")), dependant


def _calls(dependant: Dependant) -> Iterator[object]:
    for child in dependant.dependencies:
        yield child.call
        yield from _calls(child)


def _with_those_behind(routes: Iterable[object], seen: dict[int, object]) -> Iterator[object]:
    """All routes: of included routers, and of apps that are mounted, also where a middleware was put around such an app."""
    for route in routes:
        # From 0.137 on an included router is one route that makes those behind it.
        behind = getattr(route, "effective_candidates", None)
        if behind is not None:
            included = getattr(route, "original_router", None)
            seen[id(included)] = included
            yield from _with_those_behind(behind(), seen)
            continue
        yield route
        for holder in (route, getattr(route, "starlette_route", None)):
            inner = holder
            # A router may be mounted in itself, and what calls itself `app` may be anything.
            while inner is not None and id(inner) not in seen:
                seen[id(inner)] = inner
                further = getattr(inner, "routes", None)
                if isinstance(further, list | tuple):
                    yield from _with_those_behind(further, seen)
                inner = getattr(inner, "app", None)


def _unresolved(dependant: Dependant) -> Iterator[str]:
    where = getattr(dependant.call, "__qualname__", None) or repr(dependant.call)
    for name in ("path_params", "query_params", "header_params", "cookie_params", "body_params"):
        for parameter in getattr(dependant, name):
            annotation = parameter.field_info.annotation
            if isinstance(annotation, ForwardRef):
                yield f"{parameter.name}: {annotation.__forward_arg__} of {where}"
    for child in dependant.dependencies:
        yield from _unresolved(child)
