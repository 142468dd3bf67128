"""What the documents promise is asked at random: no 500, and no status, header or body that is not documented."""

from pathlib import Path
from runpy import run_path
from typing import Annotated

import pytest
import schemathesis
from fastapi import APIRouter, FastAPI, Security
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from pydantic import BaseModel, Field
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.mcp import ToolScopes, mcp_router

pytest_plugins = ["mcp_oauth2_deps.testing.plugin"]
QUICKSTART = Path(__file__).parent.parent / "examples" / "quickstart.py"
PROMISES = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
bounded = settings(
    # Seven in a plain run, twenty with --all.
    max_examples=min(20, settings.default.max_examples // 4),
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Note(BaseModel):
    text: str = Field(max_length=20)
    stars: int = Field(ge=0, le=5)
    tags: set[str] = set()


def rich_app(auth):
    """Every way of demanding a token, with parameters and a body besides."""
    app = FastAPI(dependencies=[Security(auth.require_scopes("app"))])
    app.include_router(auth.router())
    router = APIRouter(prefix="/notes", dependencies=[Security(auth.require_scopes("notes:read"))])

    @router.get("/{number}")
    async def read(number: int, token: Annotated[AccessToken, Security(auth)], upper: bool = False) -> dict[str, str | None]:
        return {"number": str(number), "subject": token.subject}

    @router.post("", dependencies=[Security(auth.require_scopes("notes:write", any_of=["team:a", "team:b"]))], status_code=201)
    async def write(note: Note) -> Note:
        return note

    @router.delete("/{number}", dependencies=[Security(auth.require_scopes("notes:delete"))], status_code=204)
    async def delete(number: int) -> None: ...

    app.include_router(router)

    @app.get("/me")
    async def me(token: Annotated[AccessToken | None, Security(auth.optional_token)]) -> str | None:
        return token.subject if token else None

    app.include_router(mcp_router(lambda: None, auth=auth, scopes=ToolScopes(every_call=["mcp:use"])))
    return app


def statuses_of(app, headers):
    """Asks every operation but those of MCP, and returns which statuses were answered; 500 is documented nowhere."""
    seen = set()
    with TestClient(app, raise_server_exceptions=False) as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        for operation in schema.exclude(path="/mcp").get_all_operations():
            for mode in GenerationMode:
                try:
                    _ask(operation.ok().as_strategy(generation_mode=mode), client, headers, seen)
                except Unsatisfiable:
                    # An operation that takes nothing cannot be asked wrongly.
                    assert mode is GenerationMode.NEGATIVE
    return seen


def _ask(cases, client, headers, seen):
    @bounded
    @given(case=cases)
    def ask(case):
        request = case.as_transport_kwargs(base_url=str(client.base_url), headers=headers)
        # Written for requests; this client wants these two otherwise.
        del request["cookies"]
        answer = client.request(content=request.pop("data", None), **request)
        seen.add(answer.status_code)
        case.validate_response(answer, checks=PROMISES)

    ask()


@pytest.fixture
def auth(oauth2_issuer):
    """The default scheme's settings, for a scheme that is thrown away."""
    return OAuth2BearerScheme(OAuth2Settings())


# FastAPI's own answers to a body or a parameter, some of which come before the token is looked at; chance finds them or not.
UNREADABLE = {400, 422}
REFUSED = [
    ({}, 401),
    ({"Authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA"}, 401),
    ({"Authorization": "Bearer"}, 400),
    ({"Authorization": "Bearer a b"}, 400),
]


@pytest.mark.parametrize(("headers", "status"), REFUSED)
def test_quickstart_refuses_as_documented(oauth2_issuer, headers, status):
    assert statuses_of(run_path(str(QUICKSTART))["app"], headers) == {status}


@pytest.mark.parametrize(("scopes", "status"), [(["tools:call"], 200), (["other"], 403)])
def test_quickstart_answers_as_documented(oauth2_issuer, scopes, status):
    assert statuses_of(run_path(str(QUICKSTART))["app"], oauth2_issuer.bearer(scopes=scopes)) == {status}


@pytest.mark.parametrize(("headers", "status"), REFUSED)
def test_a_rich_app_refuses_as_documented(auth, headers, status):
    assert {status} <= statuses_of(rich_app(auth), headers) <= {status, *UNREADABLE}


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        ([], {403}),
        (["app", "notes:read"], {200, 403}),
        (["app", "notes:read", "notes:write", "notes:delete", "team:b"], {200, 201, 204}),
    ],
)
def test_a_rich_app_answers_as_documented(auth, oauth2_issuer, scopes, statuses):
    seen = statuses_of(rich_app(auth), oauth2_issuer.bearer(scopes=scopes))
    assert statuses <= seen <= statuses | UNREADABLE


def test_a_rich_app_whose_issuer_is_away_answers_as_documented(oauth2_issuer):
    headers = oauth2_issuer.bearer(scopes=["app"])
    away = OAuth2BearerScheme(OAuth2Settings(jwks_uri=f"{oauth2_issuer.url}/nothing", fail_fast=False))
    assert {503} <= statuses_of(rich_app(away), headers) <= {503, *UNREADABLE}
