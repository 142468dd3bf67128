"""A guarded WebSocket: refused before it is accepted, with the same challenge as an HTTP route."""

from typing import Annotated

from fastapi import FastAPI, Security, WebSocket

from mcp_oauth2_deps import AccessToken, protected_resource_router, require_scopes

app = FastAPI()
app.include_router(protected_resource_router())


@app.websocket("/events")
async def events(websocket: WebSocket, token: Annotated[AccessToken, Security(require_scopes("events:read"))]) -> None:
    await websocket.accept()
    await websocket.send_json({"hello": token.subject})
    await websocket.close()
