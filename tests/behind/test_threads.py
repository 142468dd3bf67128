"""A function guarded by `@scopes`, reached where the caller is lost: a thread, a pool, a task made outside (rule F8)."""

import asyncio
import contextvars
import functools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from behind.worlds import GOLD, QUICK, call, mark, said
from fastmcp import FastMCP
from fastmcp.tools import Tool
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps.errors import InsufficientScopeError
from mcp_oauth2_deps.mcp import current_token, without_caller
from mcp_oauth2_deps.mcp import scopes as needs
from mcp_oauth2_deps.mcp.callers import guards
from mcp_oauth2_deps.mcp.function_scopes import declared_scopes

FREE = {"default": "method"}
POOL = ThreadPoolExecutor(1)


@needs("vault")
def vault():
    return mark(GOLD)


@needs("vault")
async def async_vault():
    return mark(GOLD)


class Outside:
    """A task that was made before any message came, and does what it is told."""

    def __init__(self):
        self.asked = asyncio.Queue()
        self.task = asyncio.create_task(self._work())

    async def _work(self):
        while True:
            function, answer = await self.asked.get()
            try:
                answer.set_result(await function())
            except Exception as error:
                answer.set_exception(error)

    async def do(self, function):
        answer = asyncio.get_running_loop().create_future()
        await self.asked.put((function, answer))
        return await answer


def in_thread(function):
    """A thread of its own, and what it returned or raised."""
    outcome = []

    def run():
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


async def executor():
    return await asyncio.get_running_loop().run_in_executor(None, vault)


async def pool():
    return await asyncio.wrap_future(POOL.submit(vault))


async def thread():
    return in_thread(vault)


async def timer():
    answer = asyncio.get_running_loop().create_future()
    context = contextvars.Context()
    context.run(lambda: asyncio.get_running_loop().call_soon(lambda: _settle(answer)))
    return await answer


def _settle(answer):
    try:
        answer.set_result(vault())
    except Exception as error:
        answer.set_exception(error)


async def direct():
    return vault()


async def to_thread():
    return await asyncio.to_thread(vault)


async def task():
    return await asyncio.create_task(async_vault())


async def gathered():
    return (await asyncio.gather(async_vault()))[0]


async def executor_with_context():
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(None, context.run, vault)


LOST = [executor, pool, thread, timer]
KEPT = [direct, to_thread, task, gathered, executor_with_context]


def serving(kind, way):
    """A server with one tool, open to all, that reaches the guarded function in this way."""
    server = MCPServer("threads") if kind == "sdk" else FastMCP("threads")

    @server.tool()
    async def reach() -> str:
        return await way()

    return server


KINDS = pytest.mark.parametrize("kind", ["sdk", "fastmcp"])


@KINDS
@pytest.mark.parametrize("way", LOST)
async def test_f8_where_the_caller_is_lost_nobody_gets_through(guarded, kind, way, caplog):
    async with guarded(serving(kind, way), FREE, **QUICK) as caller:
        for one in (caller("bob"), caller("alice", "vault")):
            assert GOLD not in await said(one, call("reach"))
    lines = [record for record in caplog.records if "reason=no_caller" in record.getMessage()]
    assert [record.levelno for record in lines] == [logging.WARNING] * 2
    assert "without_caller" in lines[0].getMessage()


@KINDS
@pytest.mark.parametrize("way", KEPT)
async def test_f8_where_the_caller_is_kept_its_scopes_decide(guarded, kind, way):
    async with guarded(serving(kind, way), FREE, **QUICK) as caller:
        assert GOLD not in await said(caller("bob"), call("reach"))
        assert f"{GOLD} alice" in await said(caller("alice", "vault"), call("reach"))


@KINDS
async def test_f8_a_task_made_outside_knows_no_caller(guarded, kind):
    outside = Outside()
    async with guarded(serving(kind, lambda: outside.do(async_vault)), FREE, **QUICK) as caller:
        for one in (caller("bob"), caller("alice", "vault")):
            assert GOLD not in await said(one, call("reach"))
    outside.task.cancel()


@KINDS
async def test_f8_a_task_that_outlives_its_message_keeps_the_caller_of_that_message(guarded, kind):
    """Bob's message does not lend Alice's rights to a task of his, nor hers his."""
    later = []

    async def leave():
        gate = asyncio.Event()

        async def work():
            await gate.wait()
            return await async_vault()

        later.append((gate, asyncio.create_task(work())))
        return "left"

    async with guarded(serving(kind, leave), FREE, **QUICK) as caller:
        for one in (caller("alice", "vault"), caller("bob")):
            assert "left" in await said(one, call("reach"))
        for gate, _ in later:
            gate.set()
        outcomes = await asyncio.gather(*(task for _, task in later), return_exceptions=True)
    assert outcomes[0] == f"{GOLD} alice"
    assert isinstance(outcomes[1], InsufficientScopeError)


@KINDS
async def test_f8_who_says_that_nobody_is_calling_takes_nothing_from_a_caller(guarded, kind):
    async def deliberate():
        with without_caller():
            return await async_vault()

    async with guarded(serving(kind, deliberate), FREE, **QUICK) as caller:
        assert GOLD not in await said(caller("bob"), call("reach"))
        assert f"{GOLD} alice" in await said(caller("alice", "vault"), call("reach"))


@KINDS
async def test_f8_a_server_started_where_nobody_is_calling_still_asks(guarded, kind):
    """The words at a start-up reach into no message, nor into a thread that lost its caller."""
    with without_caller():
        for way in (executor, thread):
            async with guarded(serving(kind, way), FREE, **QUICK) as caller:
                assert GOLD not in await said(caller("bob"), call("reach"))


async def test_f8_a_job_says_that_nobody_is_calling(guarded):
    async with guarded(serving("sdk", direct), FREE, **QUICK):
        for function in (vault, lambda: in_thread(vault)):
            with pytest.raises(InsufficientScopeError) as caught:
                function()
            assert caught.value.reason == "no_caller"
            assert caught.value.missing == ("vault",)
        with without_caller():
            assert vault() == f"{GOLD} nobody"
            assert await async_vault() == f"{GOLD} nobody"
        with pytest.raises(InsufficientScopeError):
            await async_vault()
        # The function itself, for a unit test.
        assert vault.__wrapped__() == f"{GOLD} nobody"


async def test_without_a_route_that_runs_nothing_is_asked(guarded):
    """A server over stdio, a script, a unit test: nobody was to be verified."""
    assert guards.running == 0
    assert vault() == f"{GOLD} nobody"
    server, other = serving("sdk", direct), serving("fastmcp", direct)
    async with guarded(server, FREE, **QUICK):
        async with guarded(other, FREE, **QUICK):
            assert guards.running == 2
        # One has stopped, the other has not.
        with pytest.raises(InsufficientScopeError):
            vault()
    assert guards.running == 0
    assert in_thread(vault) == f"{GOLD} nobody"


async def test_a_start_that_fails_leaves_no_guard_behind(guarded):
    with pytest.raises(ValueError, match="does not have"):
        async with guarded(serving("sdk", direct), {"tools": {"misspelt": ["a"]}}):
            pass
    assert guards.running == 0


def closed_server(kind):
    """A tool that reaches a closed tool, resource and prompt of its own server, and answers what they say."""
    server = MCPServer("closed") if kind == "sdk" else FastMCP("closed")

    @server.tool()
    @needs("vault")
    def tool() -> str:
        return mark(GOLD)

    @server.resource("vault://gold")
    @needs("vault")
    def resource() -> str:
        return mark(GOLD)

    @server.resource("vault://rooms/{name}")
    @needs("vault")
    def template(name: str) -> str:
        return mark(GOLD)

    @server.prompt()
    @needs("vault")
    def prompt() -> str:
        return mark(GOLD)

    @server.tool()
    async def reach(way: str) -> str:
        if way == "tool":
            return str(await server.call_tool("tool", {}))
        if way == "prompt":
            rendered = server.render_prompt("prompt", {}) if kind == "fastmcp" else server.get_prompt("prompt", {})
            return str(await rendered)
        return str(await server.read_resource("vault://gold" if way == "resource" else "vault://rooms/7"))

    return server


@KINDS
@pytest.mark.parametrize("way", ["tool", "resource", "template", "prompt"])
async def test_a_refusal_at_a_function_is_one_line_and_no_traceback(guarded, kind, way, caplog):
    """Any caller can cause one, so it must not fill a log."""
    caplog.set_level(logging.INFO)
    async with guarded(closed_server(kind), FREE, **QUICK) as caller:
        bob, alice = caller("bob"), caller("alice", "vault")
        caplog.clear()
        answer = await said(bob, call("reach", way=way))
        told = [
            record
            for record in caplog.records
            if record.levelno >= logging.INFO and not record.name.startswith(("httpx", "mcp.server.streamable"))
        ]
        assert GOLD not in answer
        assert "insufficient_scope: the token does not hold vault" in answer
        assert "Traceback" not in caplog.text
        assert [record.getMessage() for record in told if record.exc_info] == []
        assert [record.name for record in told] == ["mcp_oauth2_deps.mcp.function_scopes"]
        assert "reason=insufficient_scope missing=vault" in told[0].getMessage()
        assert "subject=bob" in told[0].getMessage()
        assert f"{GOLD} alice" in await said(alice, call("reach", way=way))


class Guarded:
    """A guarded function in the shape of an object, and of its methods."""

    @needs("vault")
    def __call__(self) -> str:
        return mark(GOLD)

    @needs("vault")
    def method(self) -> str:
        return mark(GOLD)


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(vault),
        functools.partial(functools.partial(vault)),
        Guarded(),
        Guarded().method,
        functools.partial(Guarded().method),
    ],
    ids=["partial", "partial of a partial", "object", "method", "partial of a method"],
)
async def test_f8_a_rule_counts_through_what_was_put_around_its_function(guarded, function):
    """It is asked of the message, and once one tool has a rule, one without is denied."""
    server = FastMCP("wrapped")
    server.add_tool(Tool.from_function(function, name="wrapped"))
    server.tool(lambda: "plain", name="plain")
    assert declared_scopes(function).names() == ("vault",)
    async with guarded(server, {}, **QUICK) as caller:
        bob, alice = caller("bob"), caller("alice", "vault")
        assert f"{GOLD} alice" in await said(alice, call("wrapped"))
        refused = await bob.rpc(*call("wrapped"))
        assert refused.status_code == 403
        assert 'scope="vault"' in refused.headers["www-authenticate"]
        assert (await alice.rpc(*call("plain"))).status_code == 403
    async with guarded(server, FREE, **QUICK) as caller:
        assert "plain" in await said(caller("bob"), call("plain"))


@pytest.mark.parametrize("function", [lambda: 1, functools.partial(print), print, str, object(), Mock(), None])
def test_what_has_no_rule_has_none(function):
    assert declared_scopes(function) is None


@KINDS
async def test_current_token_says_so_where_the_caller_is_lost(guarded, kind):
    async def ask():
        return await asyncio.get_running_loop().run_in_executor(None, lambda: current_token().subject)

    async with guarded(serving(kind, ask), FREE, **QUICK) as caller:
        assert "alice" not in await said(caller("alice"), call("reach"))
