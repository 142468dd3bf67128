"""The guarded app of the demo."""

from typing import Annotated

from fastapi import FastAPI, Security
from fastapi.responses import PlainTextResponse

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings


def create_app(settings: OAuth2Settings) -> FastAPI:
    """One open route and one that needs the scope `tools:call`."""
    auth = OAuth2BearerScheme(settings)
    app = FastAPI(title="mcp-oauth2-deps demo")
    app.include_router(auth.router())

    @app.get("/", response_class=PlainTextResponse)
    async def about() -> str:
        return "An open route. GET /whoami needs a token with the scope tools:call; /docs shows both.\n"

    @app.get("/whoami")
    async def whoami(token: Annotated[AccessToken, Security(auth.require_scopes("tools:call"))]) -> dict[str, object]:
        return {
            "subject": token.subject,
            "client_id": token.client_id,
            "scopes": sorted(token.scopes),
            "issuer": token.issuer,
        }

    return app
