"""The tools of the guarded servers that run in processes of their own: one for everyone, and two that need a scope."""

from mcp_oauth2_deps.mcp import current_token, scopes


def with_files(engine):
    """The engine with its tools."""

    @engine.tool()
    def whoami() -> str:
        return current_token().subject

    @engine.tool()
    @scopes("files:read")
    def read_file(path: str) -> str:
        return f"read {path}"

    @engine.tool()
    @scopes("files:write")
    def write_file(path: str, text: str) -> str:
        return f"wrote {len(text)} to {path}"

    return engine
