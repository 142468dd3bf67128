"""Swagger UI without a network: FastAPI's page, with the assets that the package `fastapi-offline` brings.

These assets are Swagger UI's own, under the Apache License 2.0; `fastapi-offline` itself is under the MIT License.
"""

from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

# In an invisible frame of another page, a person could be made to click on buttons of this one (clickjacking).
_NOT_FRAMED = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY"}
_ASSETS = "/docs/assets"
REDIRECT_PATH = "/docs/oauth2-redirect"


def add_offline_docs(app: FastAPI) -> None:
    """Serves `/docs` for an app that was made with `docs_url=None`."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url=str(app.openapi_url),
            title=app.title,
            oauth2_redirect_url=REDIRECT_PATH,
            init_oauth=app.swagger_ui_init_oauth,
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )
        page.headers.update(_NOT_FRAMED)
        return page

    @app.get(REDIRECT_PATH, include_in_schema=False)
    async def redirect() -> HTMLResponse:
        return get_swagger_ui_oauth2_redirect_html()

    app.mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))
