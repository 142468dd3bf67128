"""The app the integration tests serve with uvicorn: what a user would write, configured by the environment alone."""

from typing import Annotated

from fastapi import FastAPI, Security

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes

app = FastAPI()
app.include_router(protected_resource_router())


@app.get("/whoami")
async def whoami(token: Annotated[AccessToken, Security(require_scopes("tools:call"))]):
    return {
        "subject": token.subject,
        "client_id": token.client_id,
        "scopes": sorted(token.scopes),
        "issuer": token.issuer,
    }


@app.get("/open")
async def open_to_all():
    return {"open": True}
