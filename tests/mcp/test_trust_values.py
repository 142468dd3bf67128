"""No argument of a tool, prompt or resource can be declared to be a value of trust; what an engine injects, no caller replaces.

The ways to write the type are those of `tests/test_trust_values.py`.
"""

from typing import Annotated

import pytest
from fastmcp import Context as FastMCPContext
from fastmcp import FastMCP
from fastmcp.dependencies import Depends
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Resolve
from mcp_support import Caller as Client
from mcp_support import text_of
from trust_shapes import SHAPES, Harmless

from mcp_oauth2_deps import AccessToken
from mcp_oauth2_deps.mcp import current_token
from mcp_oauth2_deps.mcp.caller import Caller
from mcp_oauth2_deps.models import DeclarationError

FORGED = {"subject": "admin", "scopes": ["root"]}
ENGINES = {"SDK": MCPServer, "FastMCP": FastMCP}


def _declare(engine, kind, function):
    server = ENGINES[engine]("test")
    register = {"tool": server.tool, "prompt": server.prompt, "resource template": lambda: server.resource("x://{token}")}[kind]
    register()(function)


def _argument(annotation):
    def thing(token: annotation) -> str:
        """Never called."""

    return thing


def _answer(annotation):
    def thing() -> annotation:
        """Never called."""

    return thing


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["tool", "prompt", "resource template"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_token_is_no_argument(engine, kind, shape):
    with pytest.raises(DeclarationError, match=r"a tool calls `current_token\(\)`"):
        _declare(engine, kind, _argument(SHAPES[shape](AccessToken)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_token_is_no_answer_of_a_tool(engine, shape):
    with pytest.raises(DeclarationError, match=r"a model of (your|its) own"):
        _declare(engine, "tool", _answer(SHAPES[shape](AccessToken)))


@pytest.mark.parametrize("kind", ["tool", "prompt", "resource template"])
@pytest.mark.parametrize("engine", ENGINES)
def test_control_a_harmless_class_is_an_argument_and_an_answer(engine, kind):
    _declare(engine, kind, _argument(Harmless))
    _declare(engine, "tool", _answer(Harmless))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_caller_is_no_argument(engine):
    with pytest.raises(DeclarationError, match=r"^Caller .*`current_token\(\)`"):
        _declare(engine, "tool", _argument(Caller))


def _injecting(engine):
    """A server whose tool gets the token from the engine: by its own way of filling a parameter."""
    server = ENGINES[engine]("test")

    if engine == "SDK":

        async def resolved() -> AccessToken:
            return current_token()

        @server.tool()
        async def injected(token: Annotated[AccessToken, Resolve(resolved)], word: str = "") -> str:
            return f"{token.subject} {sorted(token.scopes)} {word}"

    else:

        @server.tool()
        async def injected(word: str = "", token: AccessToken = Depends(current_token)) -> str:  # noqa: B008  # how FastMCP takes it
            return f"{token.subject} {sorted(token.scopes)} {word}"

    return server


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_the_engine_injects_is_the_caller_and_no_argument_replaces_it(serve, engine):
    async with serve(_injecting(engine), {"tools": {"injected": []}}, stateless_http=True, json_response=True) as make_caller:
        caller: Client = make_caller(scopes=["mcp:use"])
        assert text_of(await caller.call("injected", word="x")) == "alice ['mcp:use'] x"
        shown = (await caller.rpc("tools/list")).json()["result"]["tools"][0]["inputSchema"]
        assert list(shown["properties"]) == ["word"]
        forged = (await caller.call("injected", word="x", token=FORGED)).json()["result"]
        assert "admin" not in str(forged.get("structuredContent"))
        assert forged.get("isError") or forged["content"][0]["text"] == "alice ['mcp:use'] x"


async def test_no_answer_of_a_person_becomes_a_token(serve):
    server = FastMCP("test")

    @server.tool()
    async def ask(context: FastMCPContext) -> str:
        try:
            await context.elicit("Who are you?", response_type=AccessToken)
        except DeclarationError as error:
            return str(error)
        return "asked"

    async with serve(server, {"tools": {"ask": []}}, stateless_http=True, json_response=True) as make_caller:
        assert text_of(await make_caller().call("ask")).startswith("AccessToken must not be built from what a caller sends")
