"""Nothing that a caller sends, and no answer, can be declared to hold a value of trust; what code does with one goes on working.

Every way to write the type is tried at every place. The control rows try the same with a harmless class, which proves that it is
the type that is refused. The same for the places of the MCP engines: `tests/mcp/test_trust_values.py`.
"""

import builtins
import contextlib
import copy
import dataclasses
import functools
import importlib
import inspect
import pickle
import pkgutil
import re
import sys
import types
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, File, Form, Header, Path, Query, Security, WebSocket
from fastapi.testclient import TestClient
from pydantic import BaseModel, TypeAdapter, validate_call
from starlette.websockets import WebSocketDisconnect
from trust_shapes import SHAPES, Harmless, model_of

import mcp_oauth2_deps
from mcp_oauth2_deps import AccessToken, OAuth2BearerScheme, OAuth2Settings
from mcp_oauth2_deps.fastapi.late_routes import LateRoutes
from mcp_oauth2_deps.models import DeclarationError, NeverFromRequest

FORGED = {"subject": "admin", "scopes": ["root"]}
SETTINGS = OAuth2Settings(issuer="https://auth.example.com", resource="https://api.example.com/mcp", fail_fast=False)


@dataclasses.dataclass(frozen=True)
class Tenant(AccessToken):
    """A token with more in it, as a user may write one."""

    tenant: str = ""


def _on(method="post", path="/", marker=None):
    def declare(annotation):
        shown = annotation if marker is None else Annotated[annotation, marker]

        def route(token: shown):
            """Never called."""

        getattr(FastAPI(), method)(path)(route)

    return declare


def _default(annotation):
    def route(token: annotation = Body(None)):  # noqa: B008  # the old spelling
        """Never called."""

    FastAPI().post("/")(route)


def _websocket(annotation):
    async def route(websocket: WebSocket, token: annotation):
        """Never called."""

    FastAPI().websocket("/")(route)


def _dependency(annotation):
    def dependency(token: annotation):
        """Never called."""

    return Depends(dependency)


def _below_a_parameter(annotation):
    def route(value: Annotated[Any, _dependency(annotation)]):
        """Never called."""

    APIRouter().get("/")(route)


def _class_as_dependency(annotation):
    class Dependency:
        def __init__(self, token: annotation):
            """Never called."""

    def route(value: Annotated[Dependency, Depends()]):
        """Never called."""

    FastAPI().get("/")(route)


def _below_a_route(annotation):
    FastAPI().get("/", dependencies=[_dependency(annotation)])(lambda: None)


def _below_an_app(annotation):
    FastAPI(dependencies=[_dependency(annotation)]).get("/")(lambda: None)


def _validated_call(annotation):
    @validate_call
    def called(token: annotation):
        """Never called."""


def _returned(annotation):
    def route() -> annotation:
        """Never called."""

    FastAPI().get("/")(route)


PLACES = {
    "body": _on(),
    "body of PUT": _on("put"),
    "query": _on("get"),
    "path": _on("get", "/{token}"),
    "Body()": _on(marker=Body()),
    "Body(embed)": _on(marker=Body(embed=True)),
    "default of Body()": _default,
    "Query()": _on(marker=Query()),
    "Header()": _on(marker=Header()),
    "Cookie()": _on(marker=Cookie()),
    "Form()": _on(marker=Form()),
    "File()": _on(marker=File()),
    "Path()": _on(path="/{token}", marker=Path()),
    "WebSocket": _websocket,
    "dependency": _below_a_parameter,
    "class as dependency": _class_as_dependency,
    "dependency of a route": _below_a_route,
    "dependency of an app": _below_an_app,
    "validate_call": _validated_call,
    "TypeAdapter": TypeAdapter,
    "return annotation": _returned,
    "response_model": lambda annotation: FastAPI().get("/", response_model=annotation)(lambda: None),
    "responses": lambda annotation: FastAPI().get("/", responses={404: {"model": annotation}})(lambda: None),
}
# Of these FastAPI takes scalars only, whatever class it is.
SCALARS_ONLY = {"path", "Path()", "Query()"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", PLACES)
def test_a_token_is_refused_at_the_declaration(place, shape):
    with pytest.raises(
        DeclarationError, match=r"^AccessToken .*`token: Annotated\[AccessToken, Security\(require_scopes\(...\)\)\]`"
    ):
        PLACES[place](SHAPES[shape](AccessToken))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["body", "TypeAdapter", "response_model"])
def test_control_every_shape_takes_a_harmless_class(place, shape):
    PLACES[place](SHAPES[shape](Harmless))


@pytest.mark.parametrize("place", PLACES)
def test_control_every_place_takes_a_harmless_type(place):
    PLACES[place](str if place in SCALARS_ONLY else Harmless)


@pytest.mark.parametrize("place", PLACES)
def test_a_class_of_the_users_own_that_derives_from_a_token_is_refused_too(place):
    with pytest.raises(DeclarationError, match=r"^Tenant "):
        PLACES[place](Tenant)


KINDS = {"token": AccessToken, "derived": Tenant, "partial": functools.partial(AccessToken, issuer="x")}


@pytest.mark.parametrize("marker", [Depends, Security])
@pytest.mark.parametrize("where", ["parameter", "default", "route", "app"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_class_of_trust_is_no_dependency_whose_constructor_is_filled_from_the_query(marker, where, kind):
    dependency = marker(KINDS[kind])

    def parameter(token: Annotated[Any, dependency]):
        """Never called."""

    def default(token: Any = dependency):
        """Never called."""

    app = FastAPI(dependencies=[dependency] if where == "app" else [])
    route = {"parameter": parameter, "default": default}.get(where, lambda: None)
    with pytest.raises(DeclarationError, match=r"^(AccessToken|Tenant) "):
        app.get("/", dependencies=[dependency] if where == "route" else [])(route)


def test_a_class_of_trust_in_the_place_of_another_dependency_is_refused_before_it_is_filled():
    app = FastAPI()
    app.get("/", dependencies=[Depends(default_subject)])(lambda: None)
    app.dependency_overrides[default_subject] = AccessToken
    with pytest.raises(DeclarationError):
        TestClient(app).get("/?subject=admin")


def default_subject():
    return "nobody"


def test_depends_without_a_class_takes_that_of_the_annotation_and_is_refused():
    def route(token: Annotated[AccessToken, Depends()]):
        """Never called."""

    with pytest.raises(DeclarationError):
        FastAPI().get("/")(route)


def test_control_a_harmless_class_is_a_dependency_that_is_filled_from_the_query():
    app = FastAPI()

    @app.get("/")
    def route(value: Annotated[Harmless, Depends()]):
        return value.subject

    assert TestClient(app).get("/?subject=admin").json() == "admin"


def test_a_model_whose_building_was_put_off_is_refused_before_it_makes_anything():
    app = FastAPI()
    made = []

    @app.post("/")
    def route(holder: model_of(AccessToken, defer_build=True)):
        made.append(holder)

    with pytest.raises(DeclarationError), TestClient(app) as client:
        client.post("/", json={"token": FORGED})
    assert made == []


def _modules():
    for info in pkgutil.walk_packages(mcp_oauth2_deps.__path__, "mcp_oauth2_deps.", onerror=lambda name: None):
        # The plugin of `testing` must be imported by pytest only; and what belongs to an extra may not be installed.
        if info.name.split(".")[1] not in {"testing", "demo"}:
            with contextlib.suppress(ModuleNotFoundError):
                yield importlib.import_module(info.name)


def _holders():
    """Every dataclass of the package that is a value of trust, or has a token in a field."""
    for module in _modules():
        for value in vars(module).values():
            if dataclasses.is_dataclass(value) and value.__module__ == module.__name__ and _holds_token(value):
                yield value


def _holds_token(kind):
    return issubclass(kind, NeverFromRequest) or any("AccessToken" in str(each.type) for each in dataclasses.fields(kind))


HOLDERS = list(_holders())


def test_the_law_sees_the_values_of_trust():
    assert AccessToken in HOLDERS
    assert len(HOLDERS) > 1


@pytest.mark.parametrize("kind", HOLDERS, ids=lambda kind: kind.__name__)
def test_whatever_holds_a_token_is_refused_as_a_field_and_as_a_dependency(kind):
    with pytest.raises(DeclarationError):
        TypeAdapter(kind)
    with pytest.raises(DeclarationError):
        FastAPI().get("/", dependencies=[Depends(kind)])(lambda: None)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="pydantic.v1 does not run there")
@pytest.mark.parametrize("shape", ["bare", "Optional", "list", "dict", "dataclass"])
def test_a_model_of_pydantic_1_which_older_fastapi_takes_has_no_field_for_a_token(shape):
    from pydantic import v1

    with pytest.raises(DeclarationError):
        v1.create_model("Model", token=(SHAPES[shape](AccessToken), ...))
    # A class of its own: pydantic 1 leaves its marks on what it is given.
    v1.create_model("Model", token=(SHAPES[shape](dataclasses.make_dataclass("Plain", ["subject"])), ...))


# How the names of a module are known to FastAPI, which reads annotations when a route is declared.
_PLAIN = "from mcp_oauth2_deps import AccessToken\n"
_LATE = "from __future__ import annotations\n" + _PLAIN
_UNKNOWN = "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    " + _PLAIN
_IMPORTS = "from typing import Annotated\nfrom fastapi import Body, Depends, FastAPI, Query\nfrom pydantic import BaseModel\n"
_ROUTE = "app = FastAPI()\n@app.post('/')\ndef route({}):\n    made.append(token)\n    return 'made'\n"
_DECLARATIONS = {
    "bare": _ROUTE.format("token: AccessToken"),
    "string": _ROUTE.format("token: 'AccessToken'"),
    "optional": _ROUTE.format("token: AccessToken | None = None"),
    "Body": _ROUTE.format("token: Annotated[AccessToken, Body()]"),
    "Query": _ROUTE.format("token: Annotated[AccessToken, Query()]"),
    "Depends": _ROUTE.format("token: AccessToken = Depends()"),
    "model": "class Model(BaseModel):\n    token: AccessToken\n" + _ROUTE.format("token: Model"),
    "string in a model": "class Model(BaseModel):\n    token: 'AccessToken | None' = None\n" + _ROUTE.format("token: Model"),
}


def _run(monkeypatch, source):
    module = types.ModuleType("declared_in_a_test")
    module.made = []
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, vars(module))
    return module


@pytest.mark.parametrize("declaration", _DECLARATIONS)
@pytest.mark.parametrize("head", [_PLAIN, _LATE], ids=["evaluated", "from __future__"])
def test_a_forward_reference_is_refused_as_the_class_is(monkeypatch, head, declaration):
    with pytest.raises(DeclarationError):
        _run(monkeypatch, head + _IMPORTS + _DECLARATIONS[declaration])


_IN_ANNOTATED = _ROUTE.format("token: Annotated['AccessToken', Body()]")
_UNRESOLVED = {name: _UNKNOWN + _IMPORTS + declaration for name, declaration in _DECLARATIONS.items()} | {
    f"string in Annotated, {name}": head + _IMPORTS + _IN_ANNOTATED
    for name, head in {"evaluated": _PLAIN, "from __future__": _LATE, "for type checkers": _UNKNOWN}.items()
}


@pytest.mark.parametrize("declaration", _UNRESOLVED)
def test_a_name_that_FastAPI_cannot_resolve_makes_nothing(monkeypatch, declaration):  # noqa: N802
    try:
        module = _run(monkeypatch, _UNRESOLVED[declaration])
    except Exception as error:
        assert "AccessToken" in str(error)  # noqa: PT017  # FastAPI refuses some at the declaration, in words of its own
        return
    client = TestClient(module.app, raise_server_exceptions=False)
    for target in ("/", "/?token=admin", "/?subject=admin&token=%7B%22subject%22%3A%22admin%22%7D"):
        for body in (FORGED, {"token": FORGED}):
            client.post(target, json=body)
    assert [token for token in module.made if token is not None] == []


_GUARDED = "Annotated[AccessToken | None, Security(auth.require_scopes('admin'))] = None"
_UNGUARDED = {
    "route": "@app.get('/x')\ndef route(token: {}):\n    return 'in'\n",
    "included": "router = APIRouter()\n@router.get('/x')\ndef route(token: {}):\n    return 'in'\napp.include_router(router)\n",
    "included twice": (
        "inner, outer = APIRouter(), APIRouter()\n@inner.get('/x')\ndef route(token: {}):\n    return 'in'\n"
        "outer.include_router(inner)\napp.include_router(outer)\n"
    ),
    "dependency": "def mine(token: {}):\n    return 1\n@app.get('/x')\ndef route(one: int = Depends(mine)):\n    return 'in'\n",
    "dependency of a route": "def mine(token: {}):\n    return 1\n@app.get('/x', dependencies=[Depends(mine)])\ndef route():\n    return 'in'\n",
    "dependency of an app": (
        "def mine(token: {}):\n    return 1\napp.router.dependencies.append(Depends(mine))\n@app.get('/x')\ndef route():\n    return 'in'\n"
    ),
    "dependency of an included router": (
        "def mine(token: {}):\n    return 1\nrouter = APIRouter()\n@router.get('/x')\ndef route():\n    return 'in'\n"
        "app.include_router(router, dependencies=[Depends(mine)])\n"
    ),
} | {
    name: f"sub = {kind}()\n@sub.get('{'/' if '/x' in mounting else '/x'}')\ndef route(token: {{}}):\n    return 'in'\n{mounting}\n"
    for name, (kind, mounting) in {
        "mounted app": ("FastAPI", "app.mount('/', sub)"),
        "mounted router": ("APIRouter", "app.mount('/', sub)"),
        "mounted in a mounted app": ("FastAPI", "middle = FastAPI()\nmiddle.mount('/', sub)\napp.mount('/', middle)"),
        "mounted in an included router": ("FastAPI", "router = APIRouter()\nrouter.mount('/x', sub)\napp.include_router(router)"),
        "mounted behind a middleware": ("FastAPI", "app.mount('/', CORSMiddleware(sub))"),
        "mounted at a host": ("FastAPI", "app.host('testserver', sub)"),
        "mounted in itself": ("FastAPI", "sub.mount('/again', sub)\napp.mount('/', sub)"),
    }.items()
}
_WEBSOCKETS = {
    "route": "@app.websocket('/x')\nasync def route(websocket: WebSocket, token: {}):\n    pass\n",
    "included": (
        "router = APIRouter()\n@router.websocket('/x')\nasync def route(websocket: WebSocket, token: {}):\n    pass\n"
        "app.include_router(router)\n"
    ),
}
_APP = (
    "from fastapi import APIRouter, Security, WebSocket\nfrom mcp_oauth2_deps import OAuth2BearerScheme\n"
    "from starlette.middleware.cors import CORSMiddleware\n"
    "auth, app = OAuth2BearerScheme(settings), FastAPI()\napp.include_router(auth.router())\n"
)


async def _start(monkeypatch, declaration):
    app = _app(monkeypatch, _UNKNOWN, declaration)
    async with app.router.lifespan_context(app):
        pass


def _app(monkeypatch, head, declaration):
    monkeypatch.setattr(builtins, "settings", SETTINGS, raising=False)
    return _run(monkeypatch, head + _IMPORTS + _APP + declaration.format(_GUARDED)).app


@pytest.mark.parametrize(
    "declaration",
    [*_UNGUARDED.values(), *_WEBSOCKETS.values()],
    ids=[*_UNGUARDED, *(f"websocket, {name}" for name in _WEBSOCKETS)],
)
async def test_a_guard_that_FastAPI_cannot_see_stops_the_start(monkeypatch, declaration):  # noqa: N802
    with pytest.raises((DeclarationError, NameError), match="AccessToken") as caught:
        await _start(monkeypatch, declaration)
    # Older versions of FastAPI say it themselves, at the declaration.
    if caught.type is DeclarationError:
        assert re.search(
            r"token: Annotated\[AccessToken .* of (route|mine)\. Import it outside of `if TYPE_CHECKING:`", str(caught.value)
        )


class _Later:
    """A module whose app starts, and that goes on to declare."""

    def __init__(self, monkeypatch, declaration, guarded=_GUARDED, head=_UNKNOWN):
        self.app = _app(monkeypatch, head, "")
        self.declaration = compile(declaration.format(guarded), "<later>", "exec", 16777216 if "__future__" in head else 0)

    def declare(self):
        exec(self.declaration, vars(sys.modules["declared_in_a_test"]))


@pytest.mark.parametrize("declaration", _UNGUARDED.values(), ids=_UNGUARDED)
def test_a_guard_that_FastAPI_cannot_see_guards_no_route_that_is_added_later(monkeypatch, caplog, declaration):  # noqa: N802
    later = _Later(monkeypatch, declaration)
    with TestClient(later.app) as client:
        assert client.get("/x").status_code == 404
        try:
            later.declare()
        except NameError as error:
            # Older versions of FastAPI say it themselves, at the declaration.
            assert "AccessToken" in str(error)  # noqa: PT017
            return
        for _ in range(2):
            answer = client.get("/x")
            assert (answer.status_code, answer.json()) == (503, {"detail": "This route is not served."})
        assert client.get("/.well-known/oauth-protected-resource").status_code != 503
    lines = [record.getMessage() for record in caplog.records if "was added to the running app" in record.getMessage()]
    assert len(lines) == 1
    assert re.search(r"token: Annotated\[AccessToken .* of (route|mine)\. Import it outside of `if TYPE_CHECKING:`", lines[0])


@pytest.mark.parametrize("declaration", _WEBSOCKETS.values(), ids=_WEBSOCKETS)
def test_nor_any_websocket_that_is_added_later(monkeypatch, declaration):
    later = _Later(monkeypatch, declaration.replace("    pass", "    await websocket.accept()"))
    with TestClient(later.app) as client:
        client.get("/x")
        try:
            later.declare()
        except NameError:
            return
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/x"):
            pass
        assert closed.value.code == 1011


@pytest.mark.parametrize("declaration", _UNGUARDED.values(), ids=_UNGUARDED)
@pytest.mark.parametrize(("guarded", "status"), [(_GUARDED, 401), ("int = 1", 200)], ids=["guarded", "open"])
def test_control_what_is_added_later_is_served(monkeypatch, declaration, guarded, status):
    later = _Later(monkeypatch, declaration, guarded, _LATE)
    with TestClient(later.app) as client:
        assert client.get("/x").status_code == 404
        later.declare()
        assert client.get("/x").status_code == status


def test_a_route_of_a_router_that_was_included_before_is_looked_at_too(monkeypatch):
    head = "router = APIRouter()\napp.include_router(router)\n"
    later = _Later(monkeypatch, "@router.get('/x')\ndef route(token: {}):\n    return 'in'\n")
    exec(head, vars(sys.modules["declared_in_a_test"]))
    with TestClient(later.app) as client:
        client.get("/x")
        try:
            later.declare()
        except NameError:
            return
        # Before 0.137 a router that is included is copied, and what is added to it later is not served.
        assert client.get("/x").status_code in (503, 404)


def test_an_app_that_ended_is_left_as_it_was(monkeypatch):
    app = _app(monkeypatch, _PLAIN, "")
    before = app.router.middleware_stack
    for _ in range(2):
        with TestClient(app):
            assert isinstance(app.router.middleware_stack, LateRoutes)
        assert app.router.middleware_stack == before


@pytest.mark.parametrize("declaration", _UNGUARDED.values(), ids=_UNGUARDED)
@pytest.mark.parametrize("head", [_PLAIN, _LATE], ids=["evaluated", "from __future__"])
async def test_control_a_guard_that_FastAPI_can_see_guards(monkeypatch, head, declaration):  # noqa: N802
    app = _app(monkeypatch, head, declaration)
    async with app.router.lifespan_context(app):
        assert TestClient(app).get("/x").status_code == 401


# What goes on working.


@pytest.fixture
def app():
    auth = OAuth2BearerScheme(SETTINGS)
    app = FastAPI()
    app.state.auth = auth

    def of_mine(token: Annotated[AccessToken, Security(auth)]) -> AccessToken:
        return token

    class Mine(BaseModel):
        subject: str | None
        scopes: list[str]

    @app.get("/scheme")
    def scheme(token: Annotated[AccessToken, Security(auth)]) -> Mine:
        return Mine(subject=token.subject, scopes=sorted(token.scopes))

    @app.get("/depends")
    def depends(token: Annotated[AccessToken, Depends(auth)]):
        return {"subject": token.subject}

    @app.get("/default")
    def default(token: AccessToken = Security(auth.require_scopes("a"))):  # noqa: B008, FAST002  # the old spelling
        return {"subject": token.subject}

    @app.get("/guard")
    def guard(token: Annotated[AccessToken, Security(auth.require_scopes("a"))]):
        return {"subject": token.subject}

    @app.get("/optional")
    def optional(token: Annotated[AccessToken | None, Security(auth.optional_token)]):
        return {"subject": token and token.subject}

    @app.get("/mine")
    def mine(token: Annotated[AccessToken, Depends(of_mine)]):
        return {"subject": token.subject}

    @app.websocket("/websocket")
    async def websocket(websocket: WebSocket, token: Annotated[AccessToken, Security(auth.require_scopes("a"))]):
        await websocket.accept()
        await websocket.send_json({"subject": token.subject})
        await websocket.close()

    return app


ROUTES = ["/scheme", "/depends", "/default", "/guard", "/optional", "/mine"]


@pytest.mark.parametrize("path", ROUTES)
def test_a_route_takes_a_token_from_a_dependency_which_a_test_overrides(app, path):
    def handmade() -> AccessToken:
        return AccessToken(subject="alice", scopes={"a"})

    def optional() -> AccessToken | None:
        return handmade()

    auth = app.state.auth
    app.dependency_overrides = {auth: handmade, auth.optional_token: optional}
    assert TestClient(app).get(path).json()["subject"] == "alice"
    app.dependency_overrides = {auth: handmade, auth.optional_token: optional, auth.require_scopes("a"): handmade}
    assert TestClient(app).get(path).json()["subject"] == "alice"


def test_a_websocket_takes_a_token_from_a_dependency_which_a_test_overrides(app):
    app.dependency_overrides[app.state.auth] = lambda: AccessToken(subject="alice", scopes=["a"])
    with TestClient(app).websocket_connect("/websocket") as websocket:
        assert websocket.receive_json() == {"subject": "alice"}


@pytest.mark.parametrize("path", ROUTES)
def test_what_a_caller_sends_besides_is_not_looked_at(app, path):
    answer = TestClient(app).request("GET", path + "?subject=admin&token=admin&scopes=root", json={"token": FORGED, **FORGED})
    assert (answer.status_code, answer.json().get("subject")) == ((200, None) if path == "/optional" else (401, None))


def test_openapi_shows_neither_the_token_nor_its_fields(app):
    document = app.openapi()
    assert [document["paths"][path]["get"].get("parameters") for path in ROUTES] == [None] * len(ROUTES)
    assert "AccessToken" not in str(document)


def test_a_token_is_copied_compared_and_taken_apart_like_any_dataclass():
    token = AccessToken(subject="alice", scopes=["a", "b"], audience=("x",))
    for same in (copy.copy(token), copy.deepcopy(token), pickle.loads(pickle.dumps(token)), dataclasses.replace(token)):
        assert same == token
        assert hash(same) == hash(token)
    assert dataclasses.replace(token, scopes=("c",)).scopes == frozenset({"c"})
    assert dataclasses.asdict(token)["scopes"] == frozenset({"a", "b"})
    assert Tenant(subject="alice", tenant="t") == Tenant("alice", tenant="t")
    assert not hasattr(token, "__dict__")


def test_the_signature_that_is_shown_names_the_fields_and_their_defaults():
    parameters = inspect.signature(AccessToken).parameters
    assert list(parameters) == [each.name for each in dataclasses.fields(AccessToken)]
    assert parameters["subject"].default is None
    assert list(inspect.signature(Tenant).parameters)[-1] == "tenant"
