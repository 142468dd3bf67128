"""One guarded route, settings from the environment. Run: uvicorn quickstart:app --app-dir examples."""

from typing import Annotated

from fastapi import FastAPI, Security

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes

app = FastAPI()
app.include_router(protected_resource_router())


@app.post("/tools/call")
async def call_tool(token: Annotated[AccessToken, Security(require_scopes("tools:call"))]) -> dict[str, str | None]:
    return {"hello": token.subject}
