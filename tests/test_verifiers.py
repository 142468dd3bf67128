"""Verifiers of the user's own: which tokens they are asked about, and that nothing that goes wrong in one lets anybody in."""

import asyncio
import base64
import json
import logging
from typing import Annotated

import pytest
from fastapi import FastAPI, HTTPException, Security
from starlette.testclient import TestClient

from mcp_oauth2_deps import AccessToken, Authenticator, OAuth2BearerScheme, OAuth2Settings, Verified
from mcp_oauth2_deps.errors import InvalidTokenError, StoreUnavailableError
from mcp_oauth2_deps.models import Confirmation, Presented
from mcp_oauth2_deps.testing import DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import SigningKey

ALICE = AccessToken(subject="alice", issuer="keys", scopes={"files:read"})


class Yes:
    """A verifier that says of every token that it is good."""

    def __init__(self, answer=None):
        self.asked = []
        self.answer = Verified(ALICE) if answer is None else answer

    async def verify(self, presented):
        self.asked.append(presented.token)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class No(Yes):
    """A verifier that knows no token."""

    async def verify(self, presented):
        self.asked.append(presented.token)


def authenticator_with(issuer, *verifiers, **settings):
    trust = OAuth2Settings(issuer=issuer.url, resource=issuer.audience, **settings)
    return Authenticator(trust, documents=issuer, verifiers=verifiers)


def _lax(token, change):
    header, payload, signature = token.split(".")
    return ".".join((change(header), payload, signature))


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _forged(issuer):
    stranger = DevelopmentIssuer(issuer.url, algorithm="ES256", audience=issuer.audience)
    return SigningKey.generate("ES256", issuer.key.kid).mint(json.loads(_payload(stranger.token())))


def _payload(token):
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


# What could be taken for a JWT, by the reason for which the JWT verifier refuses it.
REFUSED = {
    "expired": ("expired", lambda issuer: issuer.token(expires_in=-3600)),
    "foreign audience": ("audience", lambda issuer: issuer.token(audience="https://other.example.com")),
    "foreign issuer": ("issuer", lambda issuer: issuer.token(iss="https://other.example.com")),
    "no signature": ("algorithm", lambda issuer: _part({"alg": "none"}) + "." + _part({"iss": issuer.url}) + ".e30"),
    "forged": ("signature", _forged),
    "empty signature": ("malformed", lambda issuer: issuer.token().rpartition(".")[0] + "."),
    "four parts": ("malformed", lambda issuer: issuer.token() + ".x"),
    "padded header": ("malformed", lambda issuer: _lax(issuer.token(), lambda header: header + "=")),
    "skipped characters": ("malformed", lambda issuer: _lax(issuer.token(), lambda header: "~" + header)),
    "white space before": ("signature", lambda issuer: _lax(issuer.token(), lambda header: "ICAg" + header)),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_could_be_a_jwt_is_judged_by_the_jwt_verifier_alone(issuer, name):
    reason, make = REFUSED[name]
    verifier = Yes()
    authenticator = authenticator_with(issuer, verifier)
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator.verify(make(issuer))
    assert caught.value.reason == reason
    assert verifier.asked == []


async def test_a_good_jwt_is_no_business_of_other_verifiers(issuer):
    verifier = Yes()
    token = await authenticator_with(issuer, verifier).verify(issuer.token(subject="bob"))
    assert (token.subject, verifier.asked) == ("bob", [])


async def test_the_first_verifier_that_knows_a_token_decides(issuer):
    first, second, third = No(), Yes(), Yes(Verified(AccessToken(subject="mallory")))
    assert await authenticator_with(issuer, first, second, third).verify("key-1") is ALICE
    assert (first.asked, second.asked, third.asked) == (["key-1"], ["key-1"], [])


async def test_a_refusal_is_not_asked_about_further(issuer):
    second = Yes()
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator_with(issuer, Yes(InvalidTokenError("revoked")), second).verify("key-1")
    assert (caught.value.reason, second.asked) == ("revoked", [])


async def test_a_token_that_nobody_knows_is_opaque(issuer):
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator_with(issuer, No()).verify("key-1")
    assert caught.value.reason == "opaque"


@pytest.mark.parametrize(
    "answer",
    [
        True,
        "alice",
        ALICE,
        (ALICE, None),
        Verified("alice"),
        KeyError("key-1"),
        HTTPException(401),
        TimeoutError(),
        RecursionError(),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_a_verifier_that_fails_lets_nobody_in_and_says_so_without_the_token(issuer, answer, caplog):
    second = Yes()
    with pytest.raises(StoreUnavailableError) as caught:
        await authenticator_with(issuer, Yes(answer), second).verify("key-1")
    assert second.asked == [], "the next one is not asked: the token may be one that the first would refuse"
    (line,) = [record for record in caplog.records if record.name == "mcp_oauth2_deps.verifiers"]
    assert line.levelno == logging.ERROR
    assert "the verifier Yes failed" in line.getMessage()
    assert "key-1" not in caplog.text + str(caught.value) + str(caught.value.__context__ and caught.value.__suppress_context__)


class Hanging:
    async def verify(self, presented):
        await asyncio.sleep(3600)


async def test_a_verifier_that_is_cancelled_is_cancelled(issuer):
    task = asyncio.ensure_future(authenticator_with(issuer, Hanging()).verify("key-1"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_verifier_that_hangs_or_waits_for_what_was_cancelled_says_nothing(issuer, monkeypatch):
    monkeypatch.setattr("mcp_oauth2_deps.verifiers._SECONDS_TO_ANSWER", 0.01)
    for verifier in (Hanging(), Yes(asyncio.CancelledError()), Yes(GeneratorExit())):
        with pytest.raises(StoreUnavailableError):
            await asyncio.wait_for(authenticator_with(issuer, verifier).verify("key-1"), 1)


ODD_ENDS, ODD_BINDINGS = (None, "2030", True, []), ({}, {"jkt": "x"}, Confirmation(None), Confirmation(["jkt"]))
ODD = {f"ends at {end!r}": Verified(AccessToken(subject="a", expires_at=end), evidence=lambda: True) for end in ODD_ENDS}
ODD |= {f"is bound to {bound!r}": Verified(ALICE, bound) for bound in ODD_BINDINGS}
ODD |= {
    "has evidence that is no function": Verified(ALICE, evidence=True),
    "has a number as subject": Verified(AccessToken(subject=7)),
    "has no issuer": Verified(AccessToken(issuer=None)),
    "has a number as scope": Verified(AccessToken(scopes=[1])),
    "has a list of claims": Verified(AccessToken(claims=[1])),
    "has a text as audience": Verified(AccessToken(audience="https://api.example.com/mcp")),
}


@pytest.mark.parametrize("name", ODD)
async def test_a_token_of_odd_types_is_a_verifier_that_fails(issuer, name):
    with pytest.raises(StoreUnavailableError):
        await authenticator_with(issuer, Yes(ODD[name])).verify("key-1")


def _raises():
    raise RuntimeError("key-1")


async def _coroutine():
    return False


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("evidence", [_raises, _coroutine, lambda: "yes"], ids=["raises", "a coroutine", "a text"])
async def test_evidence_that_says_anything_but_true_holds_not(issuer, evidence, caplog):
    verifier = Yes(Verified(AccessToken(subject="alice", expires_at=4e9), evidence=evidence))
    authenticator = authenticator_with(issuer, verifier)
    for _ in range(2):
        await authenticator.verify("key-1")
    assert len(verifier.asked) == 2
    assert "key-1" not in caplog.text


async def test_a_remembered_token_cannot_be_altered_by_a_request(issuer):
    claims = {"roles": ["reader"]}
    token = AccessToken(subject="alice", expires_at=4e9, claims=claims)
    found = await authenticator_with(issuer, Yes(Verified(token, evidence=lambda: True))).verify("key-1")
    claims["roles"].append("admin")
    assert found.claims == {"roles": ("reader",)}
    with pytest.raises(TypeError):
        found.claims["admin"] = True


@pytest.mark.parametrize("expires_at", [1, -1, float("nan"), float("-inf")])
async def test_what_has_expired_is_refused_whatever_the_verifier_says(issuer, expires_at):
    verifier = Yes(Verified(AccessToken(subject="alice", expires_at=expires_at)))
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator_with(issuer, verifier).verify("key-1")
    assert caught.value.reason == "expired"


async def test_what_is_bound_to_a_key_is_refused_where_nobody_can_check_the_proof(issuer):
    verifier = Yes(Verified(ALICE, Confirmation({"jkt": "x"})))
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator_with(issuer, verifier).verify("key-1")
    assert caught.value.reason == "binding"


async def test_a_token_without_evidence_is_verified_for_every_request_and_pushes_nothing_out(issuer):
    verifier = Yes(Verified(AccessToken(subject="alice", expires_at=4e9)))
    authenticator = authenticator_with(issuer, verifier, token_cache_size=1)
    remembered = await authenticator.verify(issuer.token())
    for _ in range(3):
        await authenticator.verify("key-1")
    assert len(verifier.asked) == 3
    assert len(authenticator._memory._entries) == 1
    assert remembered.subject


async def test_a_token_with_evidence_is_remembered_as_long_as_it_holds(issuer):
    good = True
    verifier = Yes(Verified(AccessToken(subject="alice", expires_at=4e9), evidence=lambda: good))
    authenticator = authenticator_with(issuer, verifier)
    for _ in range(3):
        await authenticator.verify("key-1")
    assert len(verifier.asked) == 1
    good = False
    verifier.answer = InvalidTokenError("revoked")
    with pytest.raises(InvalidTokenError):
        await authenticator.verify("key-1")
    assert len(verifier.asked) == 2


def test_verifiers_next_to_a_ready_authenticator_are_refused(issuer):
    with pytest.raises(ValueError, match=r"write Authenticator\(settings, verifiers"):
        OAuth2BearerScheme(authenticator=authenticator_with(issuer), verifiers=[Yes()])


def test_over_http_each_outcome_has_its_answer(issuer):
    """Settings in the scheme, and a verifier next to them."""
    verifier = Yes()
    auth = OAuth2BearerScheme(authenticator=authenticator_with(issuer, verifier))
    app = FastAPI()

    @app.get("/")
    async def home(token: Annotated[AccessToken, Security(auth.require_scopes("files:read"))]) -> str | None:
        return token.subject

    client = TestClient(app)
    key = {"Authorization": "Bearer key-1"}
    assert (client.get("/", headers=key).json(), client.get("/", headers=issuer.bearer(scopes=["files:read"])).status_code) == (
        "alice",
        200,
    )
    verifier.answer = Verified(AccessToken(subject="alice"))
    assert client.get("/", headers=key).status_code == 403
    verifier.answer = InvalidTokenError("revoked")
    assert client.get("/", headers=key).status_code == 401
    for answer in (RuntimeError("key-1"), StoreUnavailableError("the database is away", retry_after=7)):
        verifier.answer = answer
        refused = client.get("/", headers=key)
        assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (503, False)
    assert refused.headers["Retry-After"] == "7"
    assert refused.json()["detail"]["error_description"] == "The token cannot be checked at the moment; try again later."


async def test_settings_of_the_environment_have_the_verifiers_too(issuer, monkeypatch):
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", issuer.url)
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", "https://api.example.com/mcp")
    verifier = Yes()
    auth = OAuth2BearerScheme(verifiers=[verifier])
    assert await auth.authenticator.authenticate(Presented("key-1")) is ALICE
