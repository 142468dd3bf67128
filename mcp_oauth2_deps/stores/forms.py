"""A form that is sent to a server, and its reply, whatever carries them.

What a reply means does not belong here.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mcp_oauth2_deps.protocol.client_authentication import FormRequest


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server replied, of which nothing is read yet.

    Attributes:
        status: the HTTP status.
        media_type: in lower case, without parameters.
        body: decoded.
        cache_control: the value of the field, in lower case; empty without one.
        retry_after: the value of the field; empty without one.
    """

    status: int
    media_type: str
    body: bytes = field(repr=False)
    cache_control: str
    retry_after: str


@runtime_checkable
class FormTarget(Protocol):
    """Something that forms can be sent to."""

    async def post(self, url: str, form: FormRequest, *, accept: str) -> Reply:
        """The reply; raises `DocumentError` with a one-line cause that quotes nothing of it."""
