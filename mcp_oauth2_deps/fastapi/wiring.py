"""Mistakes in how guards are written at routes, which stop the declaration or the start.

What a guard decides does not belong here.
"""

from dataclasses import dataclass
from typing import NoReturn

from fastapi import FastAPI
from pydantic import ValidationError

from mcp_oauth2_deps.fastapi.demands import dependencies_of, unresolved_dependants
from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.models import DeclarationError


@dataclass(frozen=True)
class CalledFirst:
    """Marks the parameters of a function that makes dependencies, which is no dependency itself.

    `Security(require_scopes)` without the call would make FastAPI read the scopes from the query of a request. FastAPI asks
    for the schema of each parameter when a route is declared, and is refused here.

    Attributes:
        example: what to write.
    """

    example: str

    def __get_pydantic_core_schema__(self, *_: object) -> NoReturn:
        raise DeclarationError(f"call it: write {self.example}, with the scopes that the route needs, or with none")


def verify_annotations(app: FastAPI) -> None:
    """Guarantees that FastAPI knows the type of every parameter.

    Raises:
        DeclarationError: a type does not exist at run time; FastAPI would drop a `Security(...)` in it.
    """
    unresolved = sorted({one for _, found in unresolved_dependants(app.routes) for one in found})
    if unresolved:
        raise DeclarationError(
            f"the type of a parameter does not exist at run time, so that FastAPI reads it from the query, and drops a "
            f"`Security(...)` in it: {'; '.join(unresolved)}. Import it outside of `if TYPE_CHECKING:`"
        )


def verify_live_demands(app: FastAPI, gate: Gate) -> None:
    """Guarantees that issuers are asked about tokens where a route of this gate demands `live=True`.

    Does not check: that every trusted issuer is asked. A token of one that is not is refused at such a route.

    Raises:
        DeclarationError: none is.
    """
    if any(policy.introspection for policy in gate.settings.policies):
        return
    for path, dependency in dependencies_of(app.routes):
        if getattr(dependency, "gate", None) is gate and getattr(getattr(dependency, "requirement", None), "live", False):
            text = f"{path} demands live=True, but no issuer is asked about its tokens: see the setting introspection"
            raise DeclarationError(gate.settings.spelled_out(text))


def verify_other_schemes(app: FastAPI, own: Gate) -> None:
    """Guarantees that routes that are guarded by another scheme, which reads the environment, find settings there.

    Raises:
        DeclarationError: they do not, and would answer every request with a 500.
    """
    for path, dependency in dependencies_of(app.routes):
        gate = getattr(dependency, "gate", None)
        if not isinstance(gate, Gate) or gate is own or gate.is_configured or dependency not in gate.verifiers:
            continue
        if dependency in app.dependency_overrides:
            continue
        try:
            _ = gate.settings
        except ValidationError as error:
            raise DeclarationError(
                f"{path} is guarded by the package's own require_scopes(...) or optional_token, which read the settings from the "
                f"environment, but this app has a scheme with settings of its own: write that one's auth.require_scopes(...), "
                f"or correct the environment. {error}"
            ) from None
