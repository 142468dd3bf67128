"""The routes: where they are, who may come, and how the server behind them is started and stopped."""

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from mcp.server.mcpserver import MCPServer
from mcp_support import REVISIONS, build, result, text_of
from rfc9110 import scopes_of
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mcp_oauth2_deps.mcp import ToolScopes, current_token, current_token_or_none, mcp_router

ORIGIN = "https://inspector.example.com"


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_tool_answers_and_knows_its_caller_by_every_account(kind, serve, issuer, revision):
    async with serve(build(kind), json_response=True) as caller:
        alice = caller(revision)
        if revision != REVISIONS[-1]:
            await alice.initialize()
        told = json.loads(text_of(await alice.call("whoami")))
    assert told["ours"] == "alice"
    assert told["sdk"][:3] == ["alice", "client", issuer.url]
    assert told["fastmcp"] == (None if kind == "sdk" else "alice")


async def test_both_spellings_of_the_path_answer_without_redirect(kind, serve):
    async with serve(build(kind), json_response=True, stateless_http=True) as caller:
        alice = caller()
        message = json.dumps(alice.message("tools/list"))
        for path in ("/mcp", "/mcp/"):
            assert len(result(await alice.post(message, path=path))["tools"]) == 5
            assert (await alice.client.post(path)).status_code == 401


async def test_no_token_gets_the_basic_scopes_and_the_metadata(kind, serve):
    include = {}
    async with serve(build(kind), include=include) as caller:
        for method in ("POST", "GET", "DELETE"):
            answer = await caller().client.request(method, "/mcp")
            assert answer.status_code == 401
            assert scopes_of(answer) == {"mcp:use"}
            assert 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"' in str(answer.headers)


async def test_security_on_the_router_is_added(kind, serve, auth):
    include = {"dependencies": [Security(auth.require_scopes("router"))]}
    async with serve(build(kind), include=include, json_response=True, stateless_http=True) as caller:
        assert scopes_of(await caller().client.post("/mcp")) == {"router", "mcp:use"}
        refused = await caller(scopes=["mcp:use", "router"]).call("listed")
        assert refused.status_code == 403
        assert scopes_of(refused) == {"router", "mcp:use", "tools:listed"}
        assert (await caller(scopes=["mcp:use"]).call("plain")).status_code == 403
        assert text_of(await caller(scopes=["mcp:use", "router"]).call("plain")) == "plain"


async def test_a_body_is_not_read_before_the_token_holds(kind, serve):
    async with serve(build(kind)) as caller:

        async def body():
            raise AssertionError("the body was asked for")
            yield b""

        answer = await caller().client.post("/mcp", content=body())
    assert answer.status_code == 401


async def test_a_session_of_one_caller_does_not_exist_for_another(kind, serve):
    async with serve(build(kind), json_response=True) as caller:
        alice = caller()
        await alice.initialize()
        for other in (caller(subject="mallory"), caller(client_id="other")):
            other.headers["Mcp-Session-Id"] = alice.headers["Mcp-Session-Id"]
            answer = await other.call("plain")
            assert answer.status_code == 404
        assert text_of(await alice.call("plain")) == "plain"
        ended = await alice.client.delete("/mcp", headers=alice.headers)
        assert ended.status_code == 200
        assert (await alice.call("plain")).status_code == 404


async def test_a_token_that_names_nobody_has_a_session_of_its_own(kind, serve):
    async with serve(build(kind), json_response=True) as caller:
        nobody = caller(subject=None, client_id=None, jti="a")
        await nobody.initialize()
        other = caller(subject=None, client_id=None, jti="b")
        other.headers["Mcp-Session-Id"] = nobody.headers["Mcp-Session-Id"]
        assert (await other.call("plain")).status_code == 404
        assert text_of(await nobody.call("plain")) == "plain"


async def test_a_hundred_interleaved_callers_are_never_mixed_up(kind, serve):
    """In sessions, where one long-lived task serves many messages; all wait in the tool until all have come."""
    count, arrived, go = 100, 0, asyncio.Event()
    server = build(kind)

    @server.tool()
    async def meet() -> str:
        nonlocal arrived
        before = current_token().subject
        arrived += 1
        if arrived == count:
            go.set()
        async with asyncio.timeout(30):
            await go.wait()
        assert current_token().subject == before
        return before

    table = {"every_call": ["mcp:use"], "default": "method"}
    async with serve(server, table, json_response=True) as caller:
        callers = [caller(subject=f"user-{number}") for number in range(count)]
        for one in callers[: count // 2]:
            await one.initialize()
        for one in callers[count // 2 :]:
            one.revision = REVISIONS[-1]
        answers = await asyncio.gather(*(one.call("meet") for one in callers))
    assert [text_of(answer) for answer in answers] == [f"user-{number}" for number in range(count)]


async def test_one_session_sees_the_token_of_each_message(kind, serve):
    """A client that stepped up keeps its session; the tool sees the new scopes."""
    server = build(kind)

    @server.tool()
    async def held() -> str:
        return " ".join(sorted(current_token().scopes))

    async with serve(server, {"default": "method"}, json_response=True) as caller:
        before, after = caller(scopes=["a"]), caller(scopes=["a", "b"])
        await before.initialize()
        after.headers["Mcp-Session-Id"] = before.headers["Mcp-Session-Id"]
        assert [text_of(await one.call("held")) for one in (before, after, before)] == ["a", "a b", "a"]


async def test_the_caller_is_forgotten_after_the_request(kind, serve):
    async with serve(build(kind), json_response=True, stateless_http=True) as caller:
        text_of(await caller().call("whoami"))
        assert current_token_or_none() is None


async def test_a_server_may_be_started_again(kind, auth, issuer):
    app = FastAPI()
    app.include_router(mcp_router(build(kind), auth=auth, json_response=True, stateless_http=True))
    for _ in range(2):
        with TestClient(app, base_url="https://api.example.com") as client:
            headers = {**issuer.bearer(), "Accept": "application/json, text/event-stream"}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            assert client.post("/mcp", json=message, headers=headers).status_code == 200


async def test_one_router_runs_in_one_app_at_a_time(kind, auth):
    router = mcp_router(build(kind), auth=auth)
    first, second = FastAPI(), FastAPI()
    first.include_router(router)
    second.include_router(router)
    async with first.router.lifespan_context(first):
        with pytest.raises(RuntimeError, match="one router for each app"):
            async with second.router.lifespan_context(second):
                pass


async def test_an_app_that_was_started_before_says_what_to_do(auth):
    server = MCPServer("test")
    inner = server.streamable_http_app(streamable_http_path="/mcp")
    app = FastAPI()
    app.include_router(mcp_router(inner, auth=auth))
    async with app.router.lifespan_context(app):
        pass
    with pytest.raises(RuntimeError, match="starts once only"):
        async with app.router.lifespan_context(app):
            pass


async def test_without_a_lifespan_the_answer_is_503_and_the_log_says_why(kind, auth, issuer, caplog):
    app = FastAPI()
    app.include_router(mcp_router(build(kind), auth=auth))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client:
        answer = await client.get("/mcp", headers=issuer.bearer())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "lifespan did not run" in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="the resource's own"),
        pytest.param({"Host": "evil.example"}, 421, id="foreign host"),
        pytest.param({"Host": "backend.internal:8000"}, 200, id="host of the setting"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="foreign origin"),
        pytest.param({"Origin": "https://api.example.com"}, 200, id="own origin"),
        pytest.param({"Origin": ORIGIN}, 200, id="origin of the setting"),
    ],
)
async def test_hosts_and_origins_follow_the_resource_and_the_settings(kind, make_scheme, issuer, headers, status):
    auth = make_scheme(allowed_hosts="backend.internal:8000", cors_origins=ORIGIN)
    app = FastAPI()
    app.include_router(mcp_router(build(kind), auth=auth, json_response=True, stateless_http=True))
    with TestClient(app, base_url="https://api.example.com") as client:
        headers = {**issuer.bearer(), "Accept": "application/json, text/event-stream", **headers}
        answer = client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)
    assert answer.status_code == status


async def test_configured_origins_may_read_challenges_and_answers_and_preflight_without_token(kind, make_scheme, issuer):
    auth = make_scheme(cors_origins=ORIGIN)
    app = FastAPI()
    app.include_router(mcp_router(build(kind), auth=auth, json_response=True, stateless_http=True))
    with TestClient(app, base_url="https://api.example.com") as client:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, mcp-method, x\ty"}
        preflight = client.options("/mcp", headers={"Origin": ORIGIN, **asked})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-headers"] == "authorization, mcp-method"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        headers = {**issuer.bearer(), "Accept": "application/json, text/event-stream", "Origin": ORIGIN}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        for answer in (
            preflight,
            client.post("/mcp", headers={"Origin": ORIGIN}),
            client.post("/mcp", json=message, headers=headers),
        ):
            assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]
            assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
            assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]
        for other in ("https://evil.example", "null", ORIGIN + ".evil.example"):
            for answer in (client.options("/mcp", headers={"Origin": other}), client.post("/mcp", headers={"Origin": other})):
                assert "access-control-allow-origin" not in answer.headers


async def test_any_asgi_app_is_served_with_its_own_lifespan(serve, auth):
    seen = []

    async def lifespan(app):
        seen.append("start")
        yield {"answer": "state"}
        seen.append("stop")

    async def endpoint(request):
        return PlainTextResponse(f"{request.state.answer} {current_token().subject} {(await request.body()).decode()}")

    from contextlib import asynccontextmanager

    inner = Starlette(routes=[Route("/mcp", endpoint, methods=["POST"])], lifespan=asynccontextmanager(lifespan))
    async with serve(inner, {}) as caller:
        body = ' {"jsonrpc": "2.0",  "id": 1, "method": "x\\u002Fy"}'
        answer = await caller().post(body, path="/mcp/")
        assert answer.text == f"state alice {body}"
        assert seen == ["start"]
    assert seen == ["start", "stop"]


@pytest.mark.parametrize("starts", [False, True])
async def test_an_asgi_app_whose_lifespan_is_cancelled_from_within_hangs_nothing(serve, starts):
    async def bare(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            if starts:
                await send({"type": "lifespan.startup.complete"})
                await receive()
            raise asyncio.CancelledError
        await PlainTextResponse("bare")(scope, receive, send)

    async with asyncio.timeout(10), serve(bare, {}) as caller:
        assert (await caller().rpc("tools/list")).text == "bare"


async def test_the_token_is_nowhere_in_what_is_handed_on(serve):
    """No tool forwards it, and no report of an error in a tool tells it."""
    seen = []

    async def bare(scope, receive, send):
        seen.append({**scope, **scope.get("state", {})})
        await PlainTextResponse("bare", headers={"Vary": "Accept"})(scope, receive, send)

    async with serve(bare, {}) as caller:
        alice = caller()
        await alice.rpc("tools/list")
        await alice.client.get("/mcp", headers=alice.headers)
    assert [scope["type"] for scope in seen] == ["lifespan", "http", "http"]
    assert alice.headers["Authorization"].split()[1] not in repr(seen)


async def test_an_answer_for_one_origin_says_that_it_varies(make_scheme, issuer):
    async def bare(scope, receive, send):
        await PlainTextResponse("bare", headers={"Vary": "Accept"})(scope, receive, send)

    app = FastAPI()
    app.include_router(mcp_router(bare, auth=make_scheme(cors_origins=ORIGIN)))
    with TestClient(app) as client:
        answer = client.get("/mcp", headers={**issuer.bearer(), "Origin": ORIGIN})
    assert answer.headers.get_list("vary") == ["Accept", "Origin"]


async def test_an_asgi_app_without_lifespan_is_served(serve):
    async def bare(scope, receive, send):
        assert scope["type"] == "http"
        await PlainTextResponse("bare")(scope, receive, send)

    async with serve(bare, {}) as caller:
        assert (await caller().rpc("tools/list")).text == "bare"


async def test_events_are_passed_on_one_by_one_and_a_disconnect_arrives(auth, issuer):
    """Nothing is held back: the first event is there while the second has not been made."""
    sent, received, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stream(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        assert (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await received.wait()
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    app = FastAPI()
    app.include_router(mcp_router(stream, auth=auth))
    body = b'{"jsonrpc":"2.0","id":1,"method":"x"}'
    messages = iter([{"type": "http.request", "body": body}])

    async def receive():
        message = next(messages, None)
        if message is None:
            await received.wait()
            return {"type": "http.disconnect"}
        return message

    async def send(message):
        if message.get("body") == b"data: 1\n\n":
            sent.set()

    headers = [(b"authorization", issuer.bearer()["Authorization"].encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "raw_path": b"/mcp", "root_path": "", "query_string": b""}
    scope |= {"headers": headers, "scheme": "https", "server": ("api.example.com", 443), "client": ("127.0.0.1", 1)}
    async with app.router.lifespan_context(app), asyncio.timeout(10):
        request = asyncio.create_task(app(scope | {"http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send))
        await sent.wait()
        assert not request.done()
        received.set()
        await gone.wait()
        await request


@pytest.mark.parametrize(
    ("resource", "path"), [("https://h.example", "/"), ("https://h.example/a/mcp/", "/a/mcp"), ("https://h.example/x", "/x")]
)
async def test_the_path_is_that_of_the_resource(kind, make_scheme, issuer, resource, path):
    auth = make_scheme(resource=resource)
    app = FastAPI()
    app.include_router(mcp_router(build(kind), auth=auth, json_response=True, stateless_http=True))
    with TestClient(app, base_url="https://h.example") as client:
        headers = {**issuer.bearer(audience=resource), "Accept": "application/json, text/event-stream"}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        for spelling in {path, path.rstrip("/") + "/"}:
            assert client.post(spelling, json=message, headers=headers).status_code == 200


def test_the_default_scheme_takes_the_path_of_the_environment(monkeypatch, kind):
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", "https://auth.example.com")
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", "https://api.example.com/elsewhere")
    paths = {route.path for route in mcp_router(build(kind)).routes}
    assert paths == {"/elsewhere", "/elsewhere/"}


async def test_a_path_that_was_not_known_in_time_stops_the_start(monkeypatch, kind):
    app = FastAPI()
    app.include_router(mcp_router(build(kind)))
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", "https://auth.example.com")
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", "https://api.example.com/elsewhere")
    try:
        with pytest.raises(ValueError, match=r"MCP_OAUTH2_RESOURCE.*path='/elsewhere'"):
            async with app.router.lifespan_context(app):
                pass
    finally:
        from mcp_oauth2_deps.fastapi.scheme import default_scheme

        await default_scheme.aclose()


@pytest.mark.parametrize("server", [object(), None, "server"], ids=["an object", "None", "a text"])
def test_what_is_no_server_is_refused_at_once(auth, server):
    with pytest.raises(ValueError, match="neither an MCPServer"):
        mcp_router(server, auth=auth)


def test_a_server_with_an_authorization_of_its_own_is_refused(auth):
    from fastmcp import FastMCP
    from fastmcp.server.auth import RemoteAuthProvider
    from fastmcp.server.auth.providers.jwt import JWTVerifier
    from mcp.server.auth.settings import AuthSettings

    settings = AuthSettings(
        issuer_url="https://a.example", resource_server_url="https://a.example/mcp", validate_token_resource=True
    )

    class Verifier:
        async def verify_token(self, token):
            return None

    verifier = JWTVerifier(jwks_uri="https://a.example/jwks", issuer="https://a.example", audience="x")
    provider = RemoteAuthProvider(verifier, ["https://a.example"], base_url="https://a.example")
    for server in (MCPServer("x", auth=settings, token_verifier=Verifier()), FastMCP("x", auth=provider)):
        with pytest.raises(ValueError, match="auth= of its own"):
            mcp_router(server, auth=auth)


def test_options_for_an_asgi_app_are_refused(auth):
    with pytest.raises(ValueError, match="stateless_http"):
        mcp_router(Starlette(), auth=auth, stateless_http=True)


def test_the_operations_and_their_scopes_are_in_openapi(kind, auth):
    app = FastAPI()
    app.include_router(mcp_router(build(kind), auth=auth, scopes=ToolScopes(every_call=["mcp:use"])))
    operations = app.openapi()["paths"]
    assert set(operations) == {"/mcp"}
    assert {next(iter(operation["security"][0].values()))[0] for operation in operations["/mcp"].values()} == {"mcp:use"}
    assert len({operation["operationId"] for operation in operations["/mcp"].values()}) == 3


@pytest.mark.parametrize("name", ["list", "call", "hello"])
async def test_the_examples_of_the_documentation_can_be_sent_as_they_are(serve, kind, name):
    app = FastAPI()
    stateless = name != "hello"
    async with serve(build(kind), app=app, json_response=True, stateless_http=stateless) as make:
        operation = app.openapi()["paths"]["/mcp"]["post"]
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        (accepted,) = operation["responses"]["200"]["content"]
        message = examples[name]["value"]
        if name == "call":
            message = {**message, "params": {**message["params"], "name": "plain"}}
        caller = make()
        answer = await caller.post(json.dumps(message), Accept=accepted)
        assert "error" not in result(answer)
        assert "requestBody" not in app.openapi()["paths"]["/mcp"]["delete"]
