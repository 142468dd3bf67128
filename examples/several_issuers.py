"""Two trusted issuers with separate key sets, settings in code. The token's own issuer decides whose keys are asked."""

import os
from typing import Annotated

from fastapi import FastAPI, Security

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings

auth = OAuth2BearerScheme(
    OAuth2Settings(
        issuer=os.environ.get("ISSUERS", "https://staff.example.com,https://partners.example.com"),
        resource="https://api.example.com/mcp",
        scopes={"files:read": "Read files", "files:write": "Change files"},
        scope_hierarchy={"files:write": ["files:read"]},
        allow_insecure_http="ISSUERS" in os.environ,
    )
)
app = FastAPI()
app.include_router(auth.router())


@app.get("/files")
async def list_files(token: Annotated[AccessToken, Security(auth.require_scopes("files:read"))]) -> dict[str, str | None]:
    return {"issuer": token.issuer, "subject": token.subject}
