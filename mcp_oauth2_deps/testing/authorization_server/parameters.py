"""Reads form and query parameters within limits, and writes the errors of RFC 6749.

What the parameters mean does not belong here.
"""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_oauth2_deps.fastapi.bodies import BodyError, read_at_most

_MAX_BODY_BYTES = 64 * 1024
MAX_QUERY_BYTES = 16 * 1024
_MAX_PARAMETERS = 100
_NO_STORE = {"Cache-Control": "no-store"}


class RefusedError(Exception):
    """A request is refused, with the error code of its RFC.

    Attributes:
        error: the code, such as `invalid_grant`.
        description: one sentence for the developer; it repeats nothing of the request.
        status: the HTTP status.
    """

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    def answer(self, headers: Mapping[str, str] | None = None) -> Response:
        """The answer of an endpoint that programs call (RFC 6749 section 5.2)."""
        content = {"error": self.error, "error_description": self.description}
        return JSONResponse(content, status_code=self.status, headers=_NO_STORE | dict(headers or {}))

    def answer_client(self, authorization: str) -> Response:
        """The same, for an endpoint where clients prove who they are: who tried to by `Authorization` learns which scheme."""
        tried = self.error == "invalid_client" and authorization != ""
        return self.answer({"WWW-Authenticate": 'Basic realm="development issuer"'} if tried else None)


def not_stored(content: Mapping[str, object], status: int = 200) -> Response:
    """A JSON answer that no cache may keep (RFC 6749 section 5.1)."""
    return JSONResponse(content, status_code=status, headers=_NO_STORE)


async def read_body(request: Request) -> bytes:
    """The body, of at most 64 KiB.

    Raises:
        RefusedError: it is longer, or was not sent to its end.
    """
    try:
        return await read_at_most(request, _MAX_BODY_BYTES)
    except BodyError as error:
        raise RefusedError("invalid_request", f"the body {error}", 413) from None


def read_parameters(raw: bytes) -> dict[str, list[str]]:
    """The parameters of a form or a query; one without a value counts as omitted (RFC 6749 section 3.1).

    Raises:
        RefusedError: they cannot be read, or are too many.
    """
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise RefusedError("invalid_request", "the parameters cannot be read as UTF-8, or are too many") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values for name, values in found.items() if any(values)}


def once_each(parameters: Mapping[str, list[str]], *, several: Collection[str] = ()) -> dict[str, str]:
    """The single value of each parameter but those in `several` (RFC 6749 section 3.1).

    Raises:
        RefusedError: any other parameter is there twice.
    """
    if any(len(values) > 1 for name, values in parameters.items() if name not in several):
        raise RefusedError("invalid_request", "a parameter is there more than once")
    return {name: values[0] for name, values in parameters.items() if name not in several}
