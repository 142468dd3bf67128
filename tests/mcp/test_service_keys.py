"""A service with a key of its own at an MCP server, next to callers without a token: a verifier of the user's behind the routes."""

import pytest
from mcp_support import MODERN, build, text_of

from mcp_oauth2_deps import AccessToken, Verified
from mcp_oauth2_deps.mcp import PUBLIC, current_token, scopes
from mcp_oauth2_deps.verifiers import ForeignVerifier

QUICK = {"json_response": True, "stateless_http": True}
SERVICE = AccessToken(subject="nightly-report", client_id="nightly-report", issuer="keys", scopes={"mcp:use", "x"})


class Keys:
    """Knows one key."""

    async def verify(self, presented):
        return Verified(SERVICE) if presented.token == "svc_key" else None


@pytest.mark.parametrize("revision", ["2025-11-25", MODERN])
async def test_a_service_comes_with_its_key_and_a_wrong_key_opens_nothing_public_either(serve, auth, kind, revision):
    keys = ForeignVerifier(Keys(), lambda: 0, 0)
    auth.authenticator._verifiers = (auth.authenticator._verifiers[0], keys, *auth.authenticator._verifiers[1:])
    server = build(kind)

    @server.tool()
    @scopes("x")
    async def guarded() -> str:
        return current_token().subject

    @server.tool()
    async def reach() -> str:
        return await guarded()

    table = {"every_call": ["mcp:use"], "tools": {"reach": PUBLIC}, "default": "method"}
    async with serve(server, table, **QUICK) as make:
        caller = make(revision)
        caller.headers["Authorization"] = "Bearer svc_key"
        for tool in ("guarded", "reach"):
            assert text_of(await caller.call(tool)) == "nightly-report"
        caller.headers["Authorization"] = "Bearer svc_other"
        assert (await caller.call("reach")).status_code == 401
        del caller.headers["Authorization"]
        assert "nightly-report" not in (await caller.call("reach")).text
        assert (await caller.call("guarded")).status_code == 401
