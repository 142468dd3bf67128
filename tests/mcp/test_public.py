"""What the table calls `PUBLIC` answers without a token, and nothing else does (rule F12)."""

import json
from contextlib import asynccontextmanager

import pytest
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token as fastmcp_token
from mcp.server.auth.middleware.auth_context import get_access_token as sdk_token
from mcp.server.mcpserver import MCPServer
from mcp_support import MODERN, Caller, result, text_of

from mcp_oauth2_deps.mcp import PUBLIC, ToolScopes, current_token, current_token_or_none, scopes

QUICK = {"json_response": True, "stateless_http": True}
OPEN = {
    "every_call": ["mcp:use"],
    "methods": {"tools/list": PUBLIC},
    "tools": {"search": PUBLIC, "who": PUBLIC, "strict": PUBLIC, "reach": PUBLIC, "write": ["files:write"], "any": []},
    "resources": {"docs://site/open/*": PUBLIC, "docs://site/open/secret": ["docs:secret"]},
    "prompts": {"hello": PUBLIC, "password": ["prompts:use"]},
}


def build(kind):  # noqa: C901  # one function for each sort of rule
    """A server with something public and something protected of every kind."""
    server = MCPServer("mixed") if kind == "sdk" else FastMCP("mixed")

    @server.tool()
    def search(text: str = "") -> str:
        return f"found {text}"

    @server.tool()
    def who() -> dict:
        theirs = fastmcp_token() if kind == "fastmcp" else None
        ours = current_token_or_none()
        return {"ours": ours and ours.subject, "sdk": sdk_token() is not None, "fastmcp": theirs is not None}

    @server.tool()
    def strict() -> str:
        return current_token().subject

    @server.tool()
    async def reach(other: str) -> str:
        """Calls another tool of the server, as an agent's tool does."""
        if other == "declared":
            return declared()
        return str(await server.call_tool(other, {}))

    @server.tool()
    def write() -> str:
        return "gold"

    @server.tool(name="any")
    def any_token() -> str:
        return "gold"

    @scopes()
    def declared() -> str:
        return "gold"

    server.tool(name="declared")(declared)

    @server.resource("docs://site/open/{name}")
    def document(name: str) -> str:
        return f"document {name}"

    @server.prompt()
    def hello() -> str:
        return "hello"

    @server.prompt()
    def password() -> str:
        return "gold"

    return server


def anonymous(caller, **headers):
    """The same client without a token."""
    stranger = Caller.__new__(Caller)
    stranger.client, stranger.revision = caller.client, caller.revision
    stranger.headers = {name: value for name, value in caller.headers.items() if name != "Authorization"} | headers
    return stranger


@pytest.fixture(params=["2025-11-25", MODERN])
def revision(request):
    return request.param


@pytest.fixture
def mixed(serve, kind, revision):
    """`async with mixed() as caller`: somebody who calls tools with a token."""

    @asynccontextmanager
    async def running():
        async with serve(build(kind), OPEN, **QUICK) as make:
            yield make(revision)

    return running


PUBLIC_MESSAGES = {
    "tool": ("tools/call", {"name": "search", "arguments": {"text": "it"}}),
    "prompt": ("prompts/get", {"name": "hello"}),
    "resource": ("resources/read", {"uri": "docs://site/open/x"}),
    "list": ("tools/list", {}),
}


@pytest.mark.parametrize("what", PUBLIC_MESSAGES)
async def test_what_is_public_answers_without_a_token(mixed, what):
    async with mixed() as caller:
        message = result(await anonymous(caller).rpc(*PUBLIC_MESSAGES[what]))
        assert not message.get("isError"), message


# What anybody might try without a token, and the scopes that the challenge names.
PROTECTED = {
    "tool": (("tools/call", {"name": "write"}), "mcp:use files:write"),
    "tool for any good token": (("tools/call", {"name": "any"}), "mcp:use"),
    "tool whose function wants any good token": (("tools/call", {"name": "declared"}), "mcp:use"),
    "tool that nobody has": (("tools/call", {"name": "nothing"}), "mcp:use"),
    "tool in another case": (("tools/call", {"name": "Search"}), "mcp:use"),
    "tool with more in its name": (("tools/call", {"name": "search "}), "mcp:use"),
    "prompt": (("prompts/get", {"name": "password"}), "mcp:use prompts:use"),
    "prompt named as a public tool": (("prompts/get", {"name": "search"}), "mcp:use"),
    "resource below a public pattern": (("resources/read", {"uri": "docs://site/open/secret"}), "mcp:use docs:secret"),
    "the same written otherwise": (("resources/read", {"uri": "docs://site/open/%73ecret"}), "mcp:use docs:secret"),
    "resource with dots": (("resources/read", {"uri": "docs://site/open/../closed"}), "mcp:use"),
    "resource with dots in percent": (("resources/read", {"uri": "docs://site/open/%2e%2e/closed"}), None),
    "the folder itself": (("resources/read", {"uri": "docs://site/open"}), "mcp:use"),
    "resource of another host": (("resources/read", {"uri": "docs://other/open/x"}), "mcp:use"),
    "resource elsewhere": (("resources/read", {"uri": "docs://site/opener/x"}), "mcp:use"),
    "subscription to something public": (("resources/subscribe", {"uri": "docs://site/open/x"}), "mcp:use"),
    "completion for something public": (
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "hello"}, "argument": {"name": "a", "value": ""}}),
        "mcp:use",
    ),
    "stream of something public": (
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["docs://site/open/x"]}}),
        "mcp:use",
    ),
    "list of prompts": (("prompts/list", {}), "mcp:use"),
    "list of templates": (("resources/templates/list", {}), "mcp:use"),
    "method that nobody knows": (("search", {}), "mcp:use"),
    "method in another case": (("Tools/List", {}), "mcp:use"),
    "notification": (("notifications/cancelled", {"requestId": 1}), "mcp:use"),
    "tasks": (("tasks/get", {"taskId": "x"}), "mcp:use"),
    "log level": (("logging/setLevel", {"level": "debug"}), "mcp:use"),
}


@pytest.mark.parametrize("what", PROTECTED)
async def test_everything_else_is_a_real_401_that_names_its_scopes(mixed, what, caplog):
    async with mixed() as caller:
        question, named = PROTECTED[what]
        caplog.set_level("INFO", "mcp_oauth2_deps.security")
        answer = await anonymous(caller).rpc(*question)
        assert answer.status_code == 401, answer.text
        assert "gold" not in answer.text
        challenge = answer.headers["WWW-Authenticate"]
        assert "error=" not in challenge, "nothing was sent, so nothing was wrong (RFC 6750 section 3.1)"
        assert f'scope="{named}"' in challenge or named is None
        assert 'resource_metadata="' in challenge
        assert "reason=missing_credentials" in caplog.text


async def test_with_a_token_all_is_as_without_public(mixed, issuer):
    """The control: whoever sends a token is judged as always, and needs what every call needs for what is public too."""
    async with mixed() as caller:
        assert text_of(await caller.call("search", text="it")) == "found it"
        assert (await caller.call("write")).status_code == 403
        holder = anonymous(caller, **issuer.bearer(subject="alice", scopes=["mcp:use", "files:write"]))
        assert text_of(await holder.call("write")) == "gold"
        nobody = anonymous(caller, **issuer.bearer(subject="alice", scopes=[]))
        assert (await nobody.call("search")).status_code == 403


BAD = {
    "expired": lambda issuer: issuer.bearer(expires_in=-3600),
    "foreign": lambda issuer: issuer.bearer(audience="https://other.example.com"),
    "garbage": lambda issuer: {"Authorization": "Bearer garbage"},
    "bound to a key": lambda issuer: issuer.bearer(cnf={"jkt": "x"}),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_token_is_refused_also_at_what_is_public(mixed, issuer, what):
    async with mixed() as caller:
        for question in PUBLIC_MESSAGES.values():
            answer = await anonymous(caller, **BAD[what](issuer)).rpc(*question)
            assert (answer.status_code, 'error="invalid_token"' in answer.headers["WWW-Authenticate"]) == (401, True)
            assert 'scope="mcp:use"' in answer.headers["WWW-Authenticate"]


async def test_a_malformed_field_is_a_400_also_at_what_is_public(mixed):
    async with mixed() as caller:
        answer = await anonymous(caller, Authorization="Bearer a b").call("search")
        assert (answer.status_code, 'error="invalid_request"' in answer.headers["WWW-Authenticate"]) == (400, True)


@pytest.mark.parametrize("field", ["Basic YWxpY2U6eA==", "DPoP eyJ4IjoxfQ", "token"])
async def test_another_scheme_is_no_token(mixed, field):
    async with mixed() as caller:
        stranger = anonymous(caller, Authorization=field)
        assert text_of(await stranger.call("search", text="it")) == "found it"
        assert (await stranger.call("write")).status_code == 401
        assert json.loads(text_of(await stranger.call("who")))["ours"] is None


async def test_a_token_in_another_place_is_no_token(mixed, issuer):
    async with mixed() as caller:
        token = issuer.token(scopes=["mcp:use", "files:write"])
        stranger = anonymous(caller, Cookie=f"access_token={token}")
        message = json.dumps(stranger.message("tools/call", {"name": "write"}))
        answer = await stranger.post(message, path=f"/mcp?access_token={token}")
        assert answer.status_code == 401


BODIES = {
    "batch of one public message": lambda public, other: json.dumps([public]),
    "batch of a public and a protected message": lambda public, other: json.dumps([public, other]),
    "two messages": lambda public, other: json.dumps(public) + json.dumps(other),
    "a name twice": lambda public, other: json.dumps(public)[:-1] + ',"params":{"name":"write"}}',
    "a method twice": lambda public, other: json.dumps(public)[:-1] + ',"method":"prompts/list"}',
    "a name that is no text": lambda public, other: json.dumps(public | {"params": {"name": ["search", "write"]}}),
    "nothing": lambda public, other: "",
    "no JSON": lambda public, other: "search",
    "a request and an answer at once": lambda public, other: json.dumps(public | {"result": {}}),
}


@pytest.mark.parametrize("what", BODIES)
async def test_what_is_not_one_message_is_401_without_a_token(mixed, what):
    async with mixed() as caller:
        stranger = anonymous(caller)
        public = stranger.message("tools/call", {"name": "search", "arguments": {}})
        other = stranger.message("tools/call", {"name": "write"})
        answer = await stranger.post(BODIES[what](public, other))
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


@pytest.mark.parametrize(
    "fields",
    [{"Mcp-Name": "write"}, {"Mcp-Method": "tools/list"}, {"Mcp-Name": "=?base64?d3JpdGU=?="}, {"Content-Encoding": "gzip"}],
    ids=str,
)
async def test_fields_that_contradict_the_body_are_401_without_a_token(mixed, fields):
    async with mixed() as caller:
        answer = await anonymous(caller).rpc(*PUBLIC_MESSAGES["tool"], **fields)
        assert answer.status_code == 401


async def test_fields_that_name_something_public_open_nothing(mixed):
    async with mixed() as caller:
        answer = await anonymous(caller).rpc("tools/call", {"name": "write"}, **{"Mcp-Name": "search"})
        assert answer.status_code == 401


async def test_nobody_is_known_where_no_token_was_sent(mixed, kind):
    async with mixed() as caller:
        stranger = anonymous(caller)
        assert json.loads(text_of(await stranger.call("who"))) == {"ours": None, "sdk": False, "fastmcp": False}
        known = json.loads(text_of(await caller.call("who")))
        assert known == {"ours": "alice", "sdk": True, "fastmcp": kind == "fastmcp"}
        refused = result(await stranger.call("strict"))
        assert refused["isError"]
        assert text_of(await caller.call("strict")) == "alice"


@pytest.mark.parametrize("tool", ["write", "any", "declared"])
async def test_a_public_tool_reaches_nothing_protected_for_a_caller_without_a_token(mixed, tool, caplog):
    """A caller without a token is a caller: what a tool does on nobody's behalf it does not do for such a one."""
    async with mixed() as caller:
        caplog.set_level("INFO", "mcp_oauth2_deps")
        refused = await anonymous(caller).call("reach", other=tool)
        assert "gold" not in refused.text
        assert "reason=missing_credentials" in caplog.text
        assert "no_caller" not in caplog.text
        assert "found" in text_of(await anonymous(caller).call("reach", other="search"))


async def test_a_list_without_a_token_shows_what_needs_none(serve, kind, revision):
    async with serve(build(kind), OPEN, list_filter=True, **QUICK) as make:
        caller = make(revision)
        tools = result(await anonymous(caller).rpc("tools/list"))["tools"]
        assert {tool["name"] for tool in tools} == {"search", "who", "strict", "reach"}
        tools = result(await caller.rpc("tools/list"))["tools"]
        assert {tool["name"] for tool in tools} == {"search", "who", "strict", "reach", "any", "declared"}


async def test_a_client_gets_through_its_handshake_without_a_token(serve, kind):
    async with serve(build(kind), OPEN, json_response=True) as make:
        stranger = anonymous(make())
        await stranger.initialize()
        assert result(await stranger.rpc("ping")) == {}
        assert text_of(await stranger.call("search", text="it")) == "found it"
        assert (await stranger.client.get("/mcp", headers=stranger.headers)).status_code == 405
        assert (await stranger.client.delete("/mcp", headers=stranger.headers)).status_code == 200
        assert (await stranger.call("search")).status_code == 404, "the session has ended"


async def test_discovery_is_part_of_the_handshake(serve, kind):
    async with serve(build(kind), OPEN, **QUICK) as make:
        assert "capabilities" in result(await anonymous(make(MODERN)).rpc("server/discover"))


@pytest.mark.parametrize("table", [{}, {"tools": {"search": []}, "default": "method"}], ids=["no rules", "any good token"])
async def test_nothing_is_public_by_default(serve, kind, table):
    async with serve(build(kind), table, **QUICK) as make:
        caller = make()
        for question in (*PUBLIC_MESSAGES.values(), ("initialize", {}), ("ping", {}), ("server/discover", {})):
            assert (await anonymous(caller).rpc(*question)).status_code == 401
        for method in ("GET", "DELETE"):
            answer = await caller.client.request(method, "/mcp", headers=anonymous(caller, **{"Mcp-Session-Id": "x"}).headers)
            assert answer.status_code == 401


async def test_without_a_session_there_is_none_to_end(mixed):
    async with mixed() as caller:
        stranger = anonymous(caller)
        assert (await stranger.client.delete("/mcp", headers=stranger.headers)).status_code == 401


async def test_a_rule_for_the_handshake_counts(serve, kind):
    table = {"tools": {"search": PUBLIC}, "methods": {"ping": ["mcp:ping"]}, "default": "method"}
    async with serve(build(kind), table, **QUICK) as make:
        answer = await anonymous(make()).rpc("ping")
        assert (answer.status_code, 'scope="mcp:ping"' in answer.headers["WWW-Authenticate"]) == (401, True)


async def test_a_public_method_opens_only_what_has_no_rule_of_its_own(serve, kind):
    table = {"methods": {"tools/call": PUBLIC}, "tools": {"write": ["files:write"]}, "default": "method"}
    async with serve(build(kind), table, **QUICK) as make:
        stranger = anonymous(make())
        assert text_of(await stranger.call("search", text="it")) == "found it"
        for tool in ("write", "declared"):
            assert (await stranger.call(tool)).status_code == 401
        assert (await stranger.rpc("tools/list")).status_code == 401


CONTRADICTIONS = {
    "its method needs scopes": (
        {"methods": {"tools/call": ["tools:call"]}, "tools": {"search": PUBLIC}},
        r"tools\['search'\] cannot be PUBLIC: methods\['tools/call'\] needs a token",
    ),
    "its method needs any good token": (
        {"methods": {"prompts/get": []}, "prompts": {"hello": PUBLIC}},
        r"prompts\['hello'\] cannot be PUBLIC",
    ),
    "every call": ({"every_call": PUBLIC}, "every_call cannot be PUBLIC"),
    "a stream without end": ({"methods": {"subscriptions/listen": PUBLIC}}, "stream that ends with the caller's token"),
    "in a list": ({"tools": {"search": [PUBLIC]}}, "PUBLIC is no scope"),
    "in words": ({"tools": {"search": "PUBLIC"}}, "must be a list of scopes"),
    "with scopes": ({"tools": {"search": [PUBLIC, "files:read"]}}, "PUBLIC is no scope"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_table_that_contradicts_itself_is_refused_where_it_is_written(what):
    table, sentence = CONTRADICTIONS[what]
    with pytest.raises(ValueError, match=sentence):
        ToolScopes(**table)


async def test_a_function_that_wants_a_token_cannot_be_public(serve, kind):
    with pytest.raises(ValueError, match=r"tools\['declared'\] cannot be PUBLIC: its function has @scopes"):
        async with serve(build(kind), {"tools": {"declared": PUBLIC}}, **QUICK):
            pass


def test_a_function_cannot_make_itself_public():
    with pytest.raises(ValueError, match="PUBLIC is no scope"):
        scopes(PUBLIC)
    assert repr(PUBLIC) == "PUBLIC"


# What lists tell of it (SEP-1488).


def oauth2(*names):
    return {"type": "oauth2", "scopes": list(names)}


@pytest.mark.parametrize("list_filter", [False, True])
async def test_each_tool_in_a_list_tells_what_it_needs(serve, kind, revision, list_filter):
    server = build(kind)
    server.tool(name="either")(scopes("a", any_of=["b", "c"])(lambda: "gold"))
    server.tool(name="unruled")(lambda: "gold")
    async with serve(server, OPEN, list_filter=list_filter, describe_security=True, **QUICK) as make:
        for caller in (make(revision, scopes=["mcp:use", "files:write", "a", "b"]), anonymous(make(revision))):
            tools = result(await caller.rpc("tools/list"))["tools"]
            told = {tool["name"]: tool.get("securitySchemes") for tool in tools}
            assert all(tool.get("_meta", {}).get("securitySchemes") == told[tool["name"]] for tool in tools)
            for name in ("search", "who", "strict", "reach"):
                assert told.pop(name) == [{"type": "noauth"}]
            known = "Authorization" in caller.headers
            protected = {
                "write": [oauth2("mcp:use", "files:write")],
                "any": [oauth2("mcp:use")],
                "declared": [oauth2("mcp:use")],
                "either": [oauth2("mcp:use", "a", "b"), oauth2("mcp:use", "a", "c")],
            }
            assert told == ({} if list_filter and not known else protected if list_filter else protected | {"unruled": None})


async def test_lists_tell_nothing_of_needs_unless_asked_to(mixed):
    async with mixed() as caller:
        assert "securitySchemes" not in (await caller.rpc("tools/list")).text


async def test_what_is_told_keeps_what_the_tool_says_of_itself(serve, kind):
    server = build(kind)
    server.tool(name="noted", meta={"note": "mine"})(lambda: "x")
    async with serve(server, {"tools": {"noted": []}}, describe_security=True, **QUICK) as make:
        tools = result(await make().rpc("tools/list"))["tools"]
    (meta,) = [tool["_meta"] for tool in tools if tool["name"] == "noted"]
    assert (meta["note"], meta["securitySchemes"]) == ("mine", [oauth2()])


async def test_an_app_that_cannot_be_looked_into_is_not_described(serve):
    async def app(scope, receive, send):
        raise NotImplementedError

    with pytest.raises(ValueError, match="describe_security=True needs an MCPServer or a FastMCP server"):
        async with serve(app, {}, describe_security=True):
            pass
