"""Servers of both engines with an open and a closed thing of every kind; each answer names who got it.

What is closed needs the scope `vault`, by one of three means: a rule in the table of the route, `@scopes` at the function, or the
engine's own `auth=`. Who gets what is closed reads "gold of <subject>", who gets what is open "open to <subject>".
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from fastmcp import FastMCP
from fastmcp.server.auth import require_scopes as fastmcp_scopes
from mcp.server.mcpserver import MCPServer
from mcp_support import MODERN, Caller

from mcp_oauth2_deps.mcp import ToolScopes, current_token_or_none, mcp_router, scopes

GOLD, OPEN = "gold of", "open to"
MEANS = ("table", "decorator", "engine")
QUICK = {"json_response": True, "stateless_http": True}


def mark(word):
    token = current_token_or_none()
    return f"{word} {token.subject if token else 'nobody'}"


def closing(means):
    """The decorator for a function that is closed, and what FastMCP's own decorator is told."""
    decorator = scopes("vault") if means == "decorator" else lambda function: function
    return decorator, ({"auth": fastmcp_scopes("vault")} if means == "engine" else {})


def fill(server, means):
    """Puts the things on a server of either engine, or on a provider of FastMCP."""
    closed, members = closing(means)

    @server.tool(**({} if isinstance(server, MCPServer) else {"name": "hello"}))
    def hello() -> str:
        """Says something to everybody."""
        return mark(OPEN)

    @server.tool(**members)
    @closed
    def vault() -> str:
        """Opens the vault."""
        return mark(GOLD)

    @server.resource("open://hello")
    def open_resource() -> str:
        return mark(OPEN)

    @server.resource("open://rooms/{name}")
    def open_template(name: str) -> str:
        return mark(OPEN)

    @server.resource("vault://gold", **members)
    @closed
    def closed_resource() -> str:
        return mark(GOLD)

    @server.resource("vault://rooms/{name}", **members)
    @closed
    def closed_template(name: str) -> str:
        return mark(GOLD)

    @server.prompt()
    def greeting() -> str:
        return mark(OPEN)

    @server.prompt(**members)
    @closed
    def password() -> str:
        return mark(GOLD)

    return server


def complete(server):
    """Answers completions, for which both engines have one function only."""

    @server.completion() if isinstance(server, MCPServer) else server.completion
    async def values(ref, argument, context):
        name = getattr(ref, "name", None) or ref.uri
        return_value = [mark(GOLD if "password" in name or "vault" in name else OPEN)]
        if isinstance(server, MCPServer):
            from mcp_types import Completion

            return Completion(values=return_value)
        return return_value

    return server


def world(kind, means="table"):
    """A server with everything."""
    return complete(fill(MCPServer("world") if kind == "sdk" else FastMCP("world"), means))


@dataclass(frozen=True)
class Names:
    """What the things are called at the outermost server."""

    tool: str = "vault"
    open_tool: str = "hello"
    prompt: str = "password"
    open_prompt: str = "greeting"
    inner: str = ""
    """What stands between `://` and the path of each URI."""

    @classmethod
    def within(cls, prefix):
        return cls(f"{prefix}_vault", f"{prefix}_hello", f"{prefix}_password", f"{prefix}_greeting", f"{prefix}/")

    def table(self, **more):
        return {
            "tools": {self.tool: ["vault"]},
            "prompts": {self.prompt: ["vault"]},
            "resources": {f"vault://{self.inner}*": ["vault"]},
            "default": "method",
            **more,
        }

    def closed(self):
        """The messages that ask for what is closed."""
        return {
            "tool": call(self.tool),
            "resource": read(f"vault://{self.inner}gold"),
            "template": read(f"vault://{self.inner}rooms/7"),
            "prompt": ("prompts/get", {"name": self.prompt}),
        }

    def open(self):
        """The messages that ask for what is open."""
        return {
            "tool": call(self.open_tool),
            "resource": read(f"open://{self.inner}hello"),
            "template": read(f"open://{self.inner}rooms/7"),
            "prompt": ("prompts/get", {"name": self.open_prompt}),
        }

    def lists(self):
        """The messages whose answers name what is there, and how the closed thing is named in each."""
        return {
            "tools/list": (("tools/list", {}), f'"{self.tool}"'),
            "prompts/list": (("prompts/list", {}), f'"{self.prompt}"'),
            "resources/list": (("resources/list", {}), f"vault://{self.inner}gold"),
            "resources/templates/list": (("resources/templates/list", {}), f"vault://{self.inner}rooms"),
        }


def call(tool, **arguments):
    return "tools/call", {"name": tool, "arguments": arguments}


def read(uri):
    return "resources/read", {"uri": uri}


def completion(names):
    argument = {"name": "name", "value": ""}
    return {
        "completion of a prompt": (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": names.prompt}, "argument": argument},
        ),
        "completion of a template": (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": f"vault://{names.inner}rooms/{{name}}"}, "argument": argument},
        ),
    }


@dataclass
class Row:
    """One class that an engine ships: how it is put to work, and which messages reach the closed things through it.

    Attributes:
        build: takes the means by which things are closed and returns the server.
        names: what the things are called there.
        ways: messages by which the closed things are reached besides those that name them.
        lists: messages whose answers name what is there, with the name of a closed thing.
        hidden: what neither caller finds under its own name.
        means: by what things can be closed here.
        unseen: means by which the outermost server cannot see what is closed: lists and completions tell of it, execution does not.
    """

    build: Any
    names: Names = field(default_factory=Names)
    ways: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    means: tuple[str, ...] = MEANS
    unseen: tuple[str, ...] = ()


@asynccontextmanager
async def running(auth, issuer, server, table, overrides=None, **options):
    """The server behind its guard; yields what makes callers of it."""
    app = FastAPI()
    app.dependency_overrides |= overrides or {}
    app.include_router(auth.router())
    app.include_router(mcp_router(server, auth=auth, scopes=ToolScopes(**table), **options))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://api.example.com") as client:
            yield lambda subject, *held, revision="2025-11-25", **claims: Caller(
                client, issuer, revision, subject=subject, scopes=list(held), **claims
            )


async def said(caller, question):
    """All that the answer says, whether it is a result, an error or a challenge."""
    method, params = question
    answer = await caller.rpc(method, params)
    assert answer.status_code < 500, answer.text
    return answer.text


async def leaks(alice, bob, row, means):
    """What went wrong for these two, of whom only Alice holds `vault`: one line for each."""
    wrong = await closed(alice, bob, row, means) + await others_answers({"alice": alice, "bob": bob}, row)
    if means not in row.unseen:
        wrong += await _listed(alice, bob, row)
    return list(dict.fromkeys(wrong))


async def closed(alice, other, row, means, who="Bob"):
    """What went wrong with what only Alice may see, who holds `vault`: one line for each."""
    wrong = []
    # FastMCP's own `auth=` does not stand before completions.
    seen = {} if means == "engine" or means in row.unseen else completion(row.names)
    for what, question in {**row.names.closed(), **row.ways, **seen}.items():
        # Alice first: what is remembered of her answer must not be given to anybody else.
        for _ in range(2):
            if what not in row.hidden and f"{GOLD} " not in await said(alice, question):
                wrong.append(f"Alice does not get the {what}")
            if GOLD in await said(other, question):
                wrong.append(f"{who} gets the {what}")
    return wrong


async def others_answers(callers, row):
    """What went wrong with what everybody may ask: one line for each answer that names somebody else.

    Args:
        callers: by the name that an answer to each must hold, in the order in which they ask, twice.
        row: what is asked.
    """
    return [
        f"{name} does not get an answer of their own: {what}"
        for what, question in row.names.open().items()
        for name, caller in [*callers.items()] * 2
        if what not in row.hidden and f"{OPEN} {name}" not in await said(caller, question)
    ]


async def _listed(alice, bob, row):
    wrong = []
    for what, (question, name) in {**row.names.lists(), **row.lists}.items():
        if what not in row.hidden and name not in await said(alice, question):
            wrong.append(f"Alice does not find it in {what}")
        if name in await said(bob, question):
            wrong.append(f"Bob finds it in {what}")
    return wrong


__all__ = [
    "GOLD",
    "MEANS",
    "MODERN",
    "OPEN",
    "QUICK",
    "Names",
    "Row",
    "call",
    "closed",
    "leaks",
    "mark",
    "others_answers",
    "read",
    "running",
    "said",
    "world",
]
