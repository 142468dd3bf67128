"""What happens when the app starts and stops: the document is completed, the keys are fetched, fetches are ended.

Answering requests does not belong here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from mcp_oauth2_deps.fastapi.demands import unresolved_parameters
from mcp_oauth2_deps.fastapi.documentation import OpenAPIDocument, SchemeDescription
from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.fastapi.metadata_routes import MetadataRoutes
from mcp_oauth2_deps.models import DeclarationError


def router_with_lifespan(gate: Gate, description: SchemeDescription) -> APIRouter:
    """The router of a scheme: the metadata routes, and a lifespan that starts and closes the gate with the app."""
    metadata = MetadataRoutes(gate)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            _verify_annotations(app)
            with metadata.served_by(app):
                OpenAPIDocument.install(app, description)
                await gate.start()
                yield
        finally:
            await gate.aclose()

    router = APIRouter(lifespan=lifespan)
    metadata.add_to(router)
    return router


def _verify_annotations(app: FastAPI) -> None:
    unresolved = sorted(set(unresolved_parameters(app.routes)))
    if unresolved:
        raise DeclarationError(
            f"the type of a parameter does not exist at run time, so that FastAPI reads it from the query, and drops a "
            f"`Security(...)` in it: {'; '.join(unresolved)}. Import it outside of `if TYPE_CHECKING:`"
        )
