"""The body of a refusal, as the caller reads it.

Status and headers do not belong here, nor what the log says.
"""

from typing import Any

from mcp_oauth2_deps.models import Challenge


def refusal_detail(challenge: Challenge) -> dict[str, Any]:
    """The body of a refusal, in the shape of FastAPI's own."""
    detail: dict[str, Any] = {"error": challenge.error, "error_description": challenge.description}
    if challenge.missing_scopes:
        detail["missing_scopes"] = list(challenge.missing_scopes)
    return detail
