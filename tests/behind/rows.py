"""One row for each class of FastMCP that stands between a message and what it asks for.

A class without a row of its own has a reason instead: where it is put to work nevertheless, or why it decides nothing.
"""

from pathlib import Path
from tempfile import mkdtemp

import httpx2
from behind.worlds import GOLD, Names, Row, call, closing, complete, fill, mark, world
from fastapi import FastAPI, Request
from fastmcp import FastMCP, FastMCPApp
from fastmcp.experimental.transforms.code_mode import CodeMode
from fastmcp.experimental.transforms.jev_search import JevSearchTransform
from fastmcp.server import create_proxy
from fastmcp.server.middleware import AuthMiddleware, PingMiddleware
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.server.middleware.dereference import DereferenceRefsMiddleware
from fastmcp.server.middleware.error_handling import ErrorHandlingMiddleware, RetryMiddleware
from fastmcp.server.middleware.logging import LoggingMiddleware, StructuredLoggingMiddleware
from fastmcp.server.middleware.rate_limiting import RateLimitingMiddleware, SlidingWindowRateLimitingMiddleware
from fastmcp.server.middleware.response_limiting import ResponseLimitingMiddleware
from fastmcp.server.middleware.timing import DetailedTimingMiddleware, TimingMiddleware
from fastmcp.server.middleware.tool_injection import ToolInjectionMiddleware
from fastmcp.server.providers import FileSystemProvider, LocalProvider
from fastmcp.server.providers.addressing import hashed_backend_name
from fastmcp.server.providers.aggregate import AggregateProvider
from fastmcp.server.providers.openapi import MCPType, OpenAPIProvider, RouteMap
from fastmcp.server.providers.proxy import ProxyClient, ProxyProvider
from fastmcp.server.transforms import Namespace, PromptsAsTools, ResourcesAsTools, ToolTransform, VersionFilter, Visibility
from fastmcp.server.transforms.catalog import CatalogTransform
from fastmcp.server.transforms.search import BM25SearchTransform, RegexSearchTransform
from fastmcp.tools.tool_transform import ToolTransformConfig

MANY = 10_000


def with_middleware(make):
    def build(means):
        server = world("fastmcp", means)
        server.add_middleware(make())
        return server

    return Row(build)


def with_transform(make, **more):
    def build(means):
        server = world("fastmcp", means)
        server.add_transform(make(server))
        return server

    return Row(build, **more)


MIDDLEWARE = {
    "middleware.Middleware": "the base of all",
    "authorization.AuthMiddleware": with_middleware(lambda: AuthMiddleware(auth=lambda context: context.token is not None)),
    "caching.ResponseCachingMiddleware": with_middleware(ResponseCachingMiddleware),
    "dereference.DereferenceRefsMiddleware": with_middleware(DereferenceRefsMiddleware),
    "error_handling.ErrorHandlingMiddleware": with_middleware(ErrorHandlingMiddleware),
    "error_handling.RetryMiddleware": with_middleware(lambda: RetryMiddleware(retry_exceptions=(Exception,), base_delay=0)),
    "logging.BaseLoggingMiddleware": "the base of the two that follow",
    "logging.LoggingMiddleware": with_middleware(lambda: LoggingMiddleware(include_payloads=True)),
    "logging.StructuredLoggingMiddleware": with_middleware(lambda: StructuredLoggingMiddleware(include_payloads=True)),
    "ping.PingMiddleware": with_middleware(PingMiddleware),
    "rate_limiting.RateLimitingMiddleware": with_middleware(lambda: RateLimitingMiddleware(MANY)),
    "rate_limiting.SlidingWindowRateLimitingMiddleware": with_middleware(lambda: SlidingWindowRateLimitingMiddleware(MANY)),
    "response_limiting.ResponseLimitingMiddleware": with_middleware(lambda: ResponseLimitingMiddleware(max_size=MANY)),
    "timing.DetailedTimingMiddleware": with_middleware(DetailedTimingMiddleware),
    "timing.TimingMiddleware": with_middleware(TimingMiddleware),
}


def injected(means):
    """The closed tool comes from a middleware; everything else is the server's own."""
    server, other = world("fastmcp", means), fill(FastMCP("other"), means)
    server.local_provider.remove_tool("vault")
    tool = next(held for key, held in other.local_provider._components.items() if key.startswith("tool:vault"))
    server.add_middleware(ToolInjectionMiddleware([tool]))
    return server


MIDDLEWARE["tool_injection.ToolInjectionMiddleware"] = Row(injected)


class Sandbox:
    """Runs the name of a tool instead of code."""

    async def run(self, code, *, inputs=None, external_functions=None):
        return await external_functions["call_tool"](code, {})


class Judge:
    """Stands for the ranking service of the Jev search: everything fits."""

    async def system_one(self, state, questions):
        raise ConnectionError("no ranking here; the tools are called by their names")


def by_reading(uri):
    return call("read_resource", uri=uri)


SEARCH = {
    "ways": {"call_tool": call("call_tool", name="vault", arguments={})},
    # The tools themselves are in no list any more; the search finds them.
    "hidden": frozenset({"tools/list"}),
}
FOUND = '"vault'

TRANSFORMS = {
    "catalog.CatalogTransform": with_transform(lambda server: CatalogTransform()),
    "namespace.Namespace": with_transform(lambda server: Namespace("x"), names=Names.within("x")),
    "prompts_as_tools.PromptsAsTools": with_transform(
        PromptsAsTools,
        ways={"get_prompt": call("get_prompt", name="password")},
        lists={"list_prompts": (call("list_prompts"), "password")},
    ),
    "resources_as_tools.ResourcesAsTools": with_transform(
        ResourcesAsTools,
        ways={
            "read_resource": by_reading("vault://gold"),
            "read_resource of a template": by_reading("vault://rooms/7"),
            "read_resource in another spelling": by_reading("VAULT://gold"),
        },
        lists={"list_resources": (call("list_resources"), "vault://gold")},
        # FastMCP itself finds nothing under it.
        hidden=frozenset({"read_resource in another spelling"}),
    ),
    "search.base.BaseSearchTransform": "the base of the three searches",
    "search.bm25.BM25SearchTransform": with_transform(
        lambda server: BM25SearchTransform(), lists={"search_tools": (call("search_tools", query="vault opens"), FOUND)}, **SEARCH
    ),
    "search.regex.RegexSearchTransform": with_transform(
        lambda server: RegexSearchTransform(), lists={"search_tools": (call("search_tools", pattern="vault"), FOUND)}, **SEARCH
    ),
    "tool_transform.ToolTransform": with_transform(
        lambda server: ToolTransform({"vault": ToolTransformConfig(name="renamed")}), names=Names(tool="renamed")
    ),
    "version_filter.VersionFilter": with_transform(lambda server: VersionFilter(version_gte="1.0")),
    "visibility.Visibility": with_transform(lambda server: Visibility(enabled=True, match_all=True)),
}

EXPERIMENTAL = {
    "code_mode.CodeMode": with_transform(
        lambda server: CodeMode(sandbox_provider=Sandbox()),
        ways={"execute": call("execute", code="vault")},
        lists={"search": (call("search", query="vault opens"), "vault")},
        hidden=frozenset({"tools/list"}),
    ),
    "jev_search.JevSearchTransform": with_transform(lambda server: JevSearchTransform(client=Judge()), **SEARCH),
}


def mounted(means):
    server = FastMCP("outer")
    server.mount(fill(FastMCP("inner"), means), namespace="x")
    return complete(server)


def provided(make, names=None):
    def build(means):
        server = FastMCP("outer")
        server.add_provider(make(means), **({"namespace": "x"} if names else {}))
        return complete(server)

    return build


def aggregate(means):
    provider = AggregateProvider()
    provider.add_provider(fill(LocalProvider(), means), namespace="x")
    return provider


def proxied(means):
    # The means of the server behind: a table cannot be there.
    return complete(create_proxy(world("fastmcp", means)))


def upstream():
    """A REST service behind the server. It cannot know who is calling."""
    app = FastAPI()

    @app.get("/vault", operation_id="vault")
    def vault(request: Request) -> str:
        assert "authorization" not in request.headers
        return f"{GOLD} nobody"

    @app.get("/gold", operation_id="gold")
    def gold(request: Request) -> str:
        assert "authorization" not in request.headers
        return f"{GOLD} nobody"

    return app


def from_openapi(means):
    app = upstream()
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://upstream")
    maps = [RouteMap(methods=["GET"], pattern="/gold", mcp_type=MCPType.RESOURCE)]
    server = fill(FastMCP("outer"), means)
    server.local_provider.remove_tool("vault")
    server.add_provider(OpenAPIProvider(app.openapi(), client, route_maps=maps))
    return complete(server)


def from_files(means):
    """Components in a file of a folder, which the provider imports."""
    root = Path(mkdtemp(prefix="mcp-behind-"))
    closed, auth = (
        ('@scopes("vault")', "") if means == "decorator" else ("", ', auth=require_scopes("vault")' if means == "engine" else "")
    )
    (root / "things.py").write_text(
        f"""
from behind.worlds import GOLD, OPEN, mark
from fastmcp.prompts import prompt
from fastmcp.resources import resource
from fastmcp.server.auth import require_scopes
from fastmcp.tools import tool
from mcp_oauth2_deps.mcp import scopes

@tool(name="hello")
def hello() -> str:
    return mark(OPEN)

@tool(name="vault"{auth})
{closed}
def vault() -> str:
    return mark(GOLD)

@resource("open://hello")
def open_resource() -> str:
    return mark(OPEN)

@resource("open://rooms/{{name}}")
def open_template(name: str) -> str:
    return mark(OPEN)

@resource("vault://gold"{auth})
{closed}
def closed_resource() -> str:
    return mark(GOLD)

@resource("vault://rooms/{{name}}"{auth})
{closed}
def closed_template(name: str) -> str:
    return mark(GOLD)

@prompt(name="greeting")
def greeting() -> str:
    return mark(OPEN)

@prompt(name="password"{auth})
{closed}
def password() -> str:
    return mark(GOLD)
""",
        "utf-8",
    )
    server = FastMCP("outer")
    server.add_provider(FileSystemProvider(root))
    return complete(server)


def app_of_pages(means):
    """A `FastMCPApp`, whose tools have another name too, for its pages."""
    server, app = fill(FastMCP("outer"), means), FastMCPApp("pages")
    server.local_provider.remove_tool("vault")
    closed, members = closing(means)

    @app.tool(model=True, **members)
    @closed
    def vault() -> str:
        return mark(GOLD)

    server.add_provider(app)
    return complete(server)


def proxy_provider(means):
    inner = world("fastmcp", means)
    return ProxyProvider(lambda: ProxyClient(inner))


WITHIN = Names.within("x")
PROVIDERS = {
    "aggregate.AggregateProvider": Row(provided(aggregate), Names.within("x")),
    "fastmcp_provider.FastMCPProvider": Row(mounted, WITHIN),
    "filesystem.FileSystemProvider": Row(from_files),
    "local_provider.local_provider.LocalProvider": Row(provided(lambda means: fill(LocalProvider(), means))),
    "openapi.provider.OpenAPIProvider": Row(from_openapi, means=("table",)),
    "proxy.FastMCPProxy": Row(proxied, means=("table", "decorator"), unseen=("decorator",)),
    "proxy.ProxyInitializeMiddleware": "the middleware of FastMCPProxy, which has a row; it answers the handshake",
    "proxy.ProxyMetadataMiddleware": "the middleware of FastMCPProxy, which has a row; it answers the handshake",
    "proxy.ProxyProvider": Row(provided(proxy_provider, WITHIN), WITHIN, means=("table", "decorator"), unseen=("decorator",)),
    "skills.claude_provider.ClaudeSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.directory_provider.SkillsDirectoryProvider": "test_skills.py",
    "skills.skill_provider.SkillProvider": "test_skills.py",
    "skills.vendor_providers.CodexSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.vendor_providers.CopilotSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.vendor_providers.CursorSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.vendor_providers.GeminiSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.vendor_providers.GooseSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.vendor_providers.OpenCodeSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "skills.vendor_providers.VSCodeSkillsProvider": "SkillsDirectoryProvider at a folder of its own",
    "wrapped_provider._WrappedProvider": "what `namespace=` of a provider makes, as in three rows here",
}

ELSEWHERE = {
    "fastmcp.apps.app.FastMCPApp": Row(app_of_pages, ways={"its other name": call(hashed_backend_name("pages", "vault"))}),
    "fastmcp.apps.approval.Approval": "a FastMCPApp, which has a row; needs another package",
    "fastmcp.apps.choice.Choice": "a FastMCPApp, which has a row; needs another package",
    "fastmcp.apps.file_upload.FileUpload": "a FastMCPApp, which has a row; needs another package",
    "fastmcp.apps.form.FormInput": "a FastMCPApp, which has a row; needs another package",
    "fastmcp.apps.generative.GenerativeUI": "a provider of one tool of its own; needs another package",
    "fastmcp.cli.apps_dev_security.DevSessionMiddleware": "of a development server that is not ours",
    "fastmcp.server.auth.middleware.RequireAuthMiddleware": "of `auth=`, which mcp_router refuses",
    "fastmcp.server.http.HostOriginGuardMiddleware": "before the engine; tests/mcp/test_routes.py",
    "fastmcp.server.http.RequestContextMiddleware": "the request of each message, which every row needs",
    "fastmcp.server.low_level.FastMCPServerMiddleware": "the chain of messages itself, which every row goes through",
    "fastmcp.server.server.FastMCP": "every row",
    "fastmcp.server.sessions.SessionProvider": "test_sessions.py",
    "fastmcp.skills.extension.SkillsExtension": "test_skills.py",
    "fastmcp_tasks.extension.TasksExtension": "test_tasks.py",
}

FASTMCP = {
    **{f"fastmcp.server.middleware.{name}": row for name, row in MIDDLEWARE.items()},
    **{f"fastmcp.server.transforms.{name}": row for name, row in TRANSFORMS.items()},
    **{f"fastmcp.experimental.transforms.{name}": row for name, row in EXPERIMENTAL.items()},
    **{f"fastmcp.server.providers.{name}": row for name, row in PROVIDERS.items()},
    **ELSEWHERE,
}

SDK = {
    "mcp.server._otel.OpenTelemetryMiddleware": "in the chain of every server, so in every row",
    "mcp.server.apps.Apps": "test_sdk.py",
    "mcp.server.context.ServerMiddleware": "the shape of a step in the chain",
    "mcp.server.extension.Extension": "the base of all; test_sdk.py",
    "mcp.server.auth.middleware.auth_context.AuthContextMiddleware": "of `auth=`, which mcp_router refuses",
    "mcp.server.auth.middleware.bearer_auth.RequireAuthMiddleware": "of `auth=`, which mcp_router refuses",
    "mcp.server.request_state.RequestStateBoundary": "in the chain of every MCPServer; test_questions.py",
    "mcp.server.transport_security.RequestBodyLimitMiddleware": "before the engine; tests/mcp/test_routes.py",
    "mcp.server.transport_security.TransportSecurityMiddleware": "before the engine; tests/mcp/test_routes.py",
}
