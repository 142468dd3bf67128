"""Background tasks of FastMCP: whoever did not start one finds none, and a task has the rights of who started it (rule F8)."""

import asyncio
import logging
import time
from contextlib import asynccontextmanager

import pytest
from behind.worlds import GOLD, MODERN, QUICK, call, mark
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token, get_http_headers
from fastmcp_tasks import TasksExtension
from mcp_support import Caller
from reasons import reasons_inside

from mcp_oauth2_deps.mcp import current_token, scopes
from mcp_oauth2_deps.mcp.engines import principals

RESOURCE = "https://api.example.com/mcp"
FREE = {"default": "method"}
CAPABILITY = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


class TaskCaller(Caller):
    """A client that lets its calls run as tasks."""

    def message(self, method, params=None, message_id=1):
        message = super().message(method, params, message_id)
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = CAPABILITY
        return message

    async def start(self, tool, **arguments):
        started = (await self.rpc(*call(tool, **arguments))).json()["result"]
        assert started["resultType"] == "task", started
        return started["taskId"]

    async def outcome(self, task):
        """What became of the task, once it has ended."""
        async with asyncio.timeout(20):
            while True:
                answer = await self.rpc("tasks/get", {"taskId": task})
                assert answer.status_code == 200, answer.text
                if answer.json()["result"]["status"] not in ("working", "submitted"):
                    return answer
                await asyncio.sleep(0.02)


def working():
    server = FastMCP("working")
    server.add_extension(TasksExtension(url="memory://"))

    @server.tool(task=True)
    async def whoami() -> str:
        return f"{mark('run for')}, {get_access_token().subject}, {sorted(current_token().scopes)}"

    @server.tool(task=True)
    @scopes("vault")
    async def vault() -> str:
        return mark(GOLD)

    @server.tool(task=True)
    async def reach() -> str:
        """Open to all; what it calls is not."""
        return await vault()

    @server.tool(task=True)
    async def facts() -> str:
        token = current_token()
        return repr([token.client_id, token.audience, token.expires_at, token.issued_at, token.claims.get("list")])

    @server.tool(task=True)
    async def outlive() -> str:
        principals._now = lambda: current_token().expires_at
        return await vault()

    @server.tool(task=True)
    async def look() -> str:
        return repr([get_http_headers(include_all=True), get_access_token()])

    return server


@pytest.fixture
def tasks(guarded, issuer):
    """`async with tasks() as caller`, then `caller("alice", "vault")`."""

    @asynccontextmanager
    async def serve():
        async with guarded(working(), FREE, **QUICK) as caller:
            client = caller("nobody").client
            yield lambda subject, *held, **claims: TaskCaller(
                client, issuer, MODERN, subject=subject, scopes=list(held), **claims
            )

    return serve


async def test_a_task_runs_for_its_caller_by_every_account(tasks):
    async with tasks() as caller:
        alice, bob = caller("alice", "a", "b"), caller("bob")
        started = [(one, await one.start("whoami")) for one in (alice, bob)]
        told = [(await one.outcome(task)).text for one, task in started]
    assert "run for alice, alice, ['a', 'b']" in told[0]
    assert "run for bob, bob, []" in told[1]


@pytest.mark.parametrize("tool", ["reach", "vault"])
async def test_f8_a_guarded_function_asks_in_a_task_too(tasks, tool):
    async with tasks() as caller:
        alice, bob = caller("alice", "vault"), caller("bob")
        assert f"{GOLD} alice" in (await alice.outcome(await alice.start(tool))).text
        if tool == "vault":
            assert (await bob.rpc(*call(tool))).status_code == 403
        else:
            outcome = (await bob.outcome(await bob.start(tool))).json()["result"]
            assert GOLD not in str(outcome)
            assert outcome["result"]["isError"]
            assert outcome["result"]["content"][0]["text"] == "insufficient_scope: the token does not hold vault"


@pytest.mark.parametrize(
    ("subject", "claims"), [("mallory", {}), ("alice", {"client_id": "other"}), (None, {}), (None, {"client_id": None})]
)
@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/update"])
async def test_nobody_else_finds_a_task(tasks, subject, claims, method):
    async with tasks() as caller:
        alice, other = caller("alice"), caller(subject, **claims)
        task = await alice.start("whoami")
        await alice.outcome(task)
        params = {"taskId": task, **({"inputResponses": {}} if method == "tasks/update" else {})}
        answer = await other.rpc(method, params)
        assert "run for" not in answer.text
        assert "not found" in answer.text.lower()
        assert "run for alice" in (await alice.outcome(task)).text


async def test_f7_no_part_of_the_token_is_kept_for_a_task(tasks):
    """FastMCP writes the caller's token and header fields into its queue; what it writes is worth nothing elsewhere."""
    async with tasks() as caller:
        alice = caller("alice")
        seen = (await alice.outcome(await alice.start("look"))).text
    assert "alice" in seen
    assert alice.headers["Authorization"].rpartition(".")[2] not in seen
    assert "authorization" not in seen.lower()


@pytest.mark.parametrize("client_id", ["client", "token:client", None])
async def test_a_task_sees_what_the_token_says(tasks, client_id):
    claims = {
        "client_id": client_id,
        "sub": None if client_id is None else "alice",
        "aud": ["https://other.example.com", RESOURCE],
        "exp": int(time.time()) + 600.5,
        "iat": int(time.time()) - 5,
        "list": ["a", {"b": []}],
    }
    async with tasks() as caller:
        alice = caller(claims.pop("sub"), **claims)
        told = (await alice.outcome(await alice.start("facts"))).json()["result"]["result"]["content"][0]["text"]
    assert told == repr([client_id, tuple(claims["aud"]), claims["exp"], claims["iat"], ("a", {"b": ()})])


async def test_f11_a_task_that_outlives_its_token_runs_nothing_guarded(tasks, monkeypatch, caplog):
    monkeypatch.setattr(principals, "_now", principals._now)
    caplog.set_level(logging.INFO)
    async with tasks() as caller:
        alice = caller("alice", "vault")
        outcome = (await alice.outcome(await alice.start("outlive"))).json()["result"]["result"]
    assert outcome["isError"]
    assert outcome["content"][0]["text"] == "refused: the access token has expired since the call was let in"
    assert reasons_inside(record.getMessage() for record in caplog.records) == ["token_over"]
