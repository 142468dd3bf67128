"""What FastAPI knows of the matched route: its dependency tree, and the scopes demanded in it.

The only place that reads FastAPI's own structures; where they are absent nothing is found, and each check stands alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.dependencies.models import Dependant

from mcp_oauth2_deps.models import ScopeRequirement


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

    def walk(node: Dependant, inherited: tuple[str, ...]) -> None:
        for child in node.dependencies:
            if child.call in overrides:
                continue
            scopes = (*inherited, *(child.own_oauth_scopes or ()))
            if any(child.call is verifier for verifier in verifiers):
                all_of.update(dict.fromkeys(scopes))
            if getattr(child.call, "gate", None) is gate and hasattr(child.call, "requirement"):
                any_of.update(dict.fromkeys(child.call.requirement.any_of))  # type: ignore[union-attr]  # just asked
            walk(child, scopes)

    walk(dependant, ())
    return ScopeRequirement(tuple(all_of), tuple(any_of))
