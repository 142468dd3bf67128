"""What happens when the app starts and stops: the document is completed, the keys are fetched, fetches are ended.

Answering requests does not belong here.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from mcp_oauth2_deps.fastapi.documentation import OpenAPIDocument, SchemeDescription
from mcp_oauth2_deps.fastapi.gate import Gate
from mcp_oauth2_deps.fastapi.late_routes import LateRoutes
from mcp_oauth2_deps.fastapi.metadata_routes import MetadataRoutes
from mcp_oauth2_deps.fastapi.wiring import verify_annotations, verify_live_demands, verify_other_schemes


def router_with_lifespan(gate: Gate, description: SchemeDescription) -> APIRouter:
    """The router of a scheme: the metadata routes, and a lifespan that starts and closes the gate with the app."""
    metadata = MetadataRoutes(gate)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            verify_annotations(app)
            verify_other_schemes(app, gate)
            with metadata.served_by(app), LateRoutes.watched(app):
                OpenAPIDocument.install(app, description)
                verify_live_demands(app, gate)
                await gate.start()
                yield
        finally:
            await gate.aclose()

    router = APIRouter(lifespan=lifespan)
    metadata.add_to(router)
    return router
