"""Servers of both engines whose rules are written otherwise than what they are for, and that reach their things in many ways."""

from fastmcp import Context, FastMCP, FastMCPApp
from fastmcp.server.transforms import PromptsAsTools
from fastmcp.server.transforms.search import RegexSearchTransform
from mcp.server.mcpserver import Context as SDKContext
from mcp.server.mcpserver import MCPServer

from mcp_oauth2_deps.mcp import scopes

GOLD = "what a rule in another spelling closes"
# Each resource as its server knows it, and its rule in another spelling.
SPELLINGS = {
    "scheme in capitals": ("gold://a", "GOLD://a"),
    "host in capitals": ("https://h.example/b", "https://H.EXAMPLE/b"),
    "the usual port": ("https://h.example/c", "https://h.example:443/c"),
    "a host in other letters": ("https://xn--bcher-kva.example/d", "https://b\u00fccher.example/d"),
    "dot segments": ("gold://h/e", "gold://h/x/../e"),
    "encoded dot segments": ("gold://h/f", "gold://h/x/%2e%2E/f"),
    "plain letters encoded": ("gold://h/g", "gold://h/%67"),
    "digits of an escape": ("gold://h/h%C3%A9", "gold://h/h%c3%a9"),
    "letters beyond ASCII": ("gold://h/i%C3%A9", "gold://h/i\u00e9"),
    "order of the query": ("gold://h/j?a=1&b=2", "gold://h/j?b=2&a=1"),
    "a fragment": ("gold://h/k", "gold://h/k#part"),
    "no path": ("https://l.example/", "https://l.example"),
    "the text of its template": ("gold://m/1", "gold://m/{name}"),
}
BACKTRACKING = "logs://{year}-{month}-{day}.log"
TABLE = {
    "every_call": ["mcp:use"],
    "tools": {"vault": ["files:secret"]},
    "prompts": {"vault": ["files:secret"]},
    "resources": {rule: ["files:secret"] for _, rule in SPELLINGS.values()}
    | dict.fromkeys(["logs://*", "gold://in/*", "late://items/7*"], ("files:secret",)),
    "default": "method",
}


def build(kind):
    """The server; FastMCP's hides its tools behind a search and holds an app twice."""
    server = MCPServer("rules") if kind == "sdk" else FastMCP("rules")

    @server.tool()
    def vault() -> str:
        return GOLD

    @server.prompt(name="vault")
    def vault_prompt() -> str:
        return GOLD

    for number, (uri, _) in enumerate(SPELLINGS.values()):
        if uri != "gold://m/1":
            server.resource(uri, name=f"r{number}")(lambda: GOLD)

    @server.resource("gold://m/{name}")
    def templated(name: str) -> str:
        return GOLD

    @server.resource(BACKTRACKING)
    def log(year: str, month: str, day: str) -> str:
        return GOLD

    @server.tool()
    def add_template() -> str:
        # At the start, a rule for some values of such a template would be refused.
        @server.resource("late://items/{number}")
        def item(number: int) -> str:
            return GOLD if number == 7 else "open"

        return "added"

    (_reach_by_sdk if kind == "sdk" else _reach_by_fastmcp)(server)
    return server


def _reach_by_sdk(server):
    @server.tool()
    async def call_vault(ctx: SDKContext) -> str:
        return (await ctx.mcp_server.call_tool("vault", {})).content[0].text

    @server.tool()
    async def read_gold(ctx: SDKContext) -> str:
        return next(iter(await ctx.read_resource("gold://a"))).content

    @server.tool()
    async def get_vault(ctx: SDKContext) -> str:
        return (await ctx.mcp_server.get_prompt("vault")).messages[0].content.text


def _reach_by_fastmcp(server):
    @server.tool()
    async def call_vault(ctx: Context) -> str:
        return (await ctx.fastmcp.call_tool("vault", run_middleware=False)).content[0].text

    @server.tool()
    async def read_gold(ctx: Context) -> str:
        return (await ctx.read_resource("gold://a")).contents[0].content

    @server.tool()
    async def get_vault(ctx: Context) -> str:
        return (await ctx.get_prompt("vault")).messages[0].content.text

    app, inner = FastMCPApp("pages"), FastMCP("inner")

    @app.tool()
    @scopes("files:secret")
    def page() -> str:
        return GOLD

    for namespace in ("one", "two"):
        server.add_provider(app, namespace=namespace)

    @inner.tool(name="read_gold")
    async def read_from_within(ctx: Context) -> str:
        return (await ctx.fastmcp.read_resource("gold://a")).contents[0].content

    @inner.resource("gold://a")
    def inner_gold() -> str:
        return GOLD

    server.mount(inner, namespace="in")
    server.add_transform(PromptsAsTools(server))
    server.add_transform(RegexSearchTransform())
