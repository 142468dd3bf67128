"""A token that is bound to a key is refused wherever it may come in, unless the caller proved to hold the key.

Every entry is walked with a bound token and no proof, remembered and not. The control rows try the same entry with a token that is
bound to nothing, and with a proof: both get in, so that it is the missing proof that is refused.
"""

import asyncio
import time
from typing import Annotated
from uuid import uuid4

import pytest
from bad_tokens import BINDINGS
from fastapi import FastAPI, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse
from starlette.testclient import WebSocketDenialResponse

from mcp_oauth2_deps import AccessToken
from mcp_oauth2_deps.authenticator import FirstUse
from mcp_oauth2_deps.errors import InvalidTokenError, OAuth2Error
from mcp_oauth2_deps.mcp import mcp_router
from mcp_oauth2_deps.models import Presented

PROOF = "the proof"
MESSAGE = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


class Held:
    """A binding to `jkt` and `x5t#S256` that is proven by one text in the `DPoP` field."""

    members = frozenset({"jkt", "x5t#S256"})

    async def prove(self, confirmation, presented):
        if presented.proofs != (PROOF.encode(),):
            raise InvalidTokenError("binding", claim="cnf")


class Once:
    """A memory of what was used."""

    def __init__(self):
        self.used = set()

    async def first_use(self, key, seconds):
        return key not in self.used and not self.used.add(key)


class HeldOnce(Held):
    """The same binding, with a proof that counts once."""

    def __init__(self, uses: FirstUse):
        self.uses = uses

    async def prove(self, confirmation, presented):
        await super().prove(confirmation, presented)
        if not await self.uses.first_use(presented.proofs[0], 60):
            raise InvalidTokenError("binding", claim="cnf")


async def engine(scope, receive, send):
    await JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {}})(scope, receive, send)


class World:
    """One app with every entry, and the authenticator behind it."""

    def __init__(self, auth, caplog):
        self.auth, self.caplog = auth, caplog
        self.app = FastAPI()

        @self.app.get("/route")
        def route(token: Annotated[AccessToken, Security(auth)]):
            return token.subject

        @self.app.get("/scoped")
        def scoped(token: Annotated[AccessToken, Security(auth.require_scopes("a"))]):
            return token.subject

        @self.app.get("/optional")
        def optional(token: Annotated[AccessToken | None, Security(auth.optional_token)]):
            return token and token.subject

        @self.app.websocket("/socket")
        async def socket(websocket: WebSocket, token: Annotated[AccessToken, Security(auth)]):
            await websocket.accept()
            await websocket.send_text(token.subject)
            await websocket.close()

        self.app.include_router(mcp_router(engine, auth=auth, path="/mcp"))

    def reason(self, entry, token, proof=None):
        """Why this entry refuses the token; nothing when it lets it in."""
        self.caplog.clear()
        self.caplog.set_level("INFO", "mcp_oauth2_deps")
        try:
            entered = ENTRIES[entry](self, token, [] if proof is None else [proof])
        except OAuth2Error as error:
            return error.reason
        lines = [line for line in self.caplog.messages if line.startswith("refused")]
        assert entered != bool(lines), "an entry either lets in or says why not"
        return None if entered else lines[0].partition("reason=")[2].split()[0]


def get(path, method="GET", **request):
    def enter(world, token, proofs):
        headers = [("authorization", f"Bearer {token}"), *(("dpop", proof) for proof in proofs)]
        with TestClient(world.app) as client:
            answer = client.request(method, path, headers=headers, **request)
        assert answer.status_code in {200, 401}, answer.text
        assert answer.status_code == 200 or 'error="invalid_token"' in answer.headers["www-authenticate"]
        return answer.status_code == 200

    return enter


def connect(world, token, proofs):
    # Starlette's client takes a mapping here, so one proof at most.
    headers = {"authorization": f"Bearer {token}"} | ({"dpop": proofs[0]} if proofs else {})
    try:
        with TestClient(world.app).websocket_connect("/socket", headers=headers) as socket:
            return socket.receive_text() == "alice"
    except WebSocketDenialResponse as denial:
        return denial.status_code != 401


def authenticate(world, token, proofs):
    presented = Presented(token, proofs=tuple(proof.encode() for proof in proofs))
    return asyncio.run(world.auth.authenticator.authenticate(presented)).subject == "alice"


def verify(world, token, proofs):
    assert not proofs, "a raw token from elsewhere has no proof beside it"
    return asyncio.run(world.auth.authenticator.verify(token)).subject == "alice"


ENTRIES = {
    "a route": get("/route"),
    "a route with scopes": get("/scoped"),
    "a route with an optional token": get("/optional"),
    "a WebSocket": connect,
    "an MCP message": get("/mcp", "POST", json=MESSAGE),
    "an MCP stream": get("/mcp"),
    "the end of an MCP session": get("/mcp", "DELETE"),
    "Authenticator.authenticate": authenticate,
    "Authenticator.verify": verify,
}
everywhere = pytest.mark.parametrize("entry", ENTRIES)
where_a_proof_can_be = pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry != "Authenticator.verify"])


@pytest.fixture
def world(make_scheme, caplog):
    return World(make_scheme(), caplog)


@pytest.fixture
def mint(issuer):
    """Makes tokens with exactly these claims; a claim that is none is `null`."""

    def mint(**claims):
        now = int(time.time())
        standard = {"iss": issuer.url, "aud": issuer.audience, "sub": "alice", "client_id": "app", "scope": "a"}
        return issuer.key.mint(standard | {"iat": now, "exp": now + 600, "jti": uuid4().hex} | claims)

    return mint


@everywhere
def test_control_a_token_bound_to_nothing_gets_in_also_when_it_is_remembered(world, mint, entry):
    token = mint()
    assert [world.reason(entry, token) for _ in range(2)] == [None, None]


@everywhere
@pytest.mark.parametrize("cnf", BINDINGS, ids=repr)
def test_where_nobody_can_prove_anything_a_bound_token_is_refused(world, mint, entry, cnf):
    token = mint(cnf=cnf)
    assert [world.reason(entry, token) for _ in range(2)] == ["binding", "binding"]


@everywhere
@pytest.mark.parametrize("cnf", BINDINGS, ids=repr)
def test_where_something_can_be_proven_a_bound_token_without_proof_is_refused(world, mint, entry, cnf):
    world.auth.authenticator._bindings = (Held(),)
    assert world.reason(entry, mint(cnf=cnf)) == "binding"


@where_a_proof_can_be
def test_a_remembered_token_is_refused_to_who_proves_nothing(world, mint, entry):
    world.auth.authenticator._bindings = (Held(),)
    token = mint(cnf={"jkt": "x"})
    assert world.reason(entry, token, PROOF) is None, "control: with the proof it gets in, and is remembered from now on"
    for other in ENTRIES:
        assert world.reason(other, token) == "binding"
    assert world.reason(entry, token, "another proof") == "binding"
    assert world.reason(entry, token, PROOF) is None


@where_a_proof_can_be
@pytest.mark.parametrize("more", [{"unknown": 1}, {"jwk": {}}, {"JKT": "x"}], ids=repr)
def test_a_proof_of_one_member_is_none_of_another(world, mint, entry, more):
    world.auth.authenticator._bindings = (Held(),)
    assert world.reason(entry, mint(cnf={"jkt": "x", "x5t#S256": "x"}), PROOF) is None, "control: both members are proven"
    assert world.reason(entry, mint(cnf={"jkt": "x"} | more), PROOF) == "binding"


@where_a_proof_can_be
def test_a_proof_that_counts_once_is_refused_the_second_time_also_with_a_remembered_token(world, mint, entry):
    world.auth.authenticator._bindings = (HeldOnce(Once()),)
    token = mint(cnf={"jkt": "x"})
    assert [world.reason(entry, token, PROOF) for _ in range(3)] == [None, "binding", "binding"]


async def test_a_scheme_that_promises_a_proof_does_not_fit_a_token_that_is_bound_to_nothing(auth, mint):
    assert (await auth.authenticator.authenticate(Presented(mint()))).subject == "alice"
    for scheme in ("dpop", "Bearer", ""):
        with pytest.raises(InvalidTokenError) as caught:
            await auth.authenticator.authenticate(Presented(mint(), scheme=scheme))
        assert caught.value.reason == "binding"


async def test_the_refusal_says_whose_token_it_was(auth, issuer, mint):
    with pytest.raises(InvalidTokenError) as caught:
        await auth.authenticator.verify(mint(cnf={"jkt": "x"}))
    error = caught.value
    assert (error.claim, error.issuer, error.key_id) == ("cnf", issuer.url, issuer.key.kid)
    assert (error.subject, error.client_id) == ("alice", "app")
