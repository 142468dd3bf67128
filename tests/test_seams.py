"""The places at which a new feature joins the pipeline, each tried with the smallest thing that could stand there."""

import time

import pytest
from fastapi import HTTPException
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection

from mcp_oauth2_deps.errors import InsufficientScopeError, InvalidTokenError
from mcp_oauth2_deps.models import AccessToken, Presented, Verified


class Recorder:
    """A check that lets everything pass, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, token, presented):
        self.asked.append((token, presented))


class Opaque:
    """A verifier for one token that is no JWT, good as long as it is told so."""

    good = True

    def __init__(self):
        self.asked = 0

    async def verify(self, presented):
        self.asked += 1
        if presented.token != "opaque":
            return None
        token = AccessToken(subject="bob", expires_at=time.time() + 60)
        return Verified(token, None, lambda: self.good, None)


@pytest.fixture
def authenticator(auth):
    return auth.authenticator


def connection(token, *fields, **changes):
    headers = [(b"authorization", b"Bearer " + token.encode()), *fields]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "raw_path": b"/mcp", "headers": headers}
    return HTTPConnection(scope | changes)


# TokenCheck.


async def test_a_check_is_asked_for_every_request_also_when_the_token_is_remembered(authenticator, issuer):
    recorder = Recorder()
    authenticator._checks = (recorder,)
    presented = Presented(issuer.token(subject="alice"), method="POST")
    tokens = [await authenticator.authenticate(presented) for _ in range(3)]
    assert tokens[0] is tokens[1] is tokens[2], "it is remembered"
    assert recorder.asked == [(tokens[0], presented)] * 3


async def test_the_first_check_that_refuses_decides_and_is_told_whose_token_it_was(authenticator, issuer):
    async def revoked(token, presented):
        raise InvalidTokenError("revoked")

    recorder = Recorder()
    authenticator._checks = (revoked, recorder)
    for _ in range(2):
        with pytest.raises(InvalidTokenError) as caught:
            await authenticator.verify(issuer.token(subject="alice", client_id="app"))
        error = caught.value
        assert (error.reason, error.subject, error.client_id) == ("revoked", "alice", "app")
        assert (error.issuer, error.key_id) == (issuer.url, issuer.key.kid)
    assert recorder.asked == []


async def test_a_token_that_a_check_refuses_is_not_remembered(authenticator, issuer):
    """Only what was found good in full may push other tokens out of the memory."""

    async def refuse(token, presented):
        raise InvalidTokenError("revoked")

    token = issuer.token()
    authenticator._checks = (refuse,)
    with pytest.raises(InvalidTokenError):
        await authenticator.verify(token)
    authenticator._checks = ()
    verifier = Opaque()
    authenticator._verifiers = (verifier, *authenticator._verifiers)
    await authenticator.verify(token)
    assert verifier.asked == 1


async def test_a_check_may_refuse_with_any_error_that_has_an_answer(auth, authenticator, issuer):
    async def too_little(token, presented):
        raise InsufficientScopeError(required=("x",), granted=token.scopes, missing=("x",))

    authenticator._checks = (too_little,)
    with pytest.raises(HTTPException) as caught:
        await auth(connection(issuer.token()), SecurityScopes([]))
    assert caught.value.status_code == 403


# Verifier.


async def test_a_token_goes_to_the_first_verifier_that_knows_it(authenticator, issuer):
    verifier = Opaque()
    authenticator._verifiers = (verifier, *authenticator._verifiers)
    assert (await authenticator.verify("opaque")).subject == "bob"
    assert (await authenticator.verify(issuer.token(subject="alice"))).subject == "alice"
    assert verifier.asked == 2


async def test_a_token_that_no_verifier_knows_is_refused_by_its_form(authenticator, issuer):
    authenticator._verifiers = (Opaque(),)
    with pytest.raises(InvalidTokenError) as caught:
        await authenticator.verify(issuer.token())
    assert caught.value.reason == "malformed"


async def test_a_remembered_token_is_verified_again_when_its_evidence_holds_no_more(authenticator):
    verifier = Opaque()
    authenticator._verifiers = (verifier,)
    for good, asked in ((True, 1), (True, 1), (False, 2), (False, 3), (True, 3)):
        verifier.good = good
        await authenticator.verify("opaque")
        assert verifier.asked == asked


def test_a_verified_token_holds_no_longer_than_its_expiry_and_the_leeway():
    verified = Verified(AccessToken(expires_at=100), None, lambda: True, None)
    assert verified.still_holds(129.9, 30)
    assert not verified.still_holds(130, 30)
    assert not verified._replace(evidence=lambda: False).still_holds(0, 30)


# Presented: what a request is remembered by.


async def test_a_request_presents_all_that_a_proof_may_be_about(auth, issuer):
    recorder = Recorder()
    auth.authenticator._checks = (recorder,)
    token = issuer.token()
    await auth(connection(token, (b"dpop", b"one"), (b"x", b"y"), (b"dpop", b"two")), SecurityScopes([]))
    await auth(
        HTTPConnection({"type": "websocket", "path": "/a b", "headers": connection(token).headers.raw}), SecurityScopes([])
    )
    assert [presented for _, presented in recorder.asked] == [
        Presented(token, "bearer", (b"one", b"two"), None, "POST", "https://api.example.com/mcp"),
        Presented(token, "bearer", (), None, "GET", "https://api.example.com/a%20b"),
    ]


async def test_an_outcome_is_for_exactly_what_it_was_made_from(auth, issuer):
    """An app may hand a request on with a copy of its scope. Whatever the outcome depends on must be the same."""
    recorder = Recorder()
    auth.authenticator._checks = (recorder,)
    token, scopes = issuer.token(), SecurityScopes([])
    first = connection(token, (b"dpop", b"x"), (b"other", b"x"))
    headers = first.scope["headers"]
    await auth(first, scopes)
    same = [{}, {"headers": [*headers, (b"more", b"x")]}, {"query_string": b"a=b"}]
    for change in same:
        await auth(HTTPConnection(first.scope | change), scopes)
    assert len(recorder.asked) == 1, "control: what plays no part in the outcome does not matter"
    different = [
        {"headers": headers[:1]},
        {"headers": [headers[0], (b"dpop", b"y")]},
        {"headers": [*headers, (b"dpop", b"x")]},
        {"headers": [(b"authorization", b"Bearer " + issuer.token().encode()), *headers[1:]]},
        {"method": "GET"},
        {"raw_path": b"/other"},
    ]
    for number, change in enumerate(different, start=2):
        # Each from the outcome of the first, which the copy of the scope brings along.
        await auth(HTTPConnection(first.scope | {"mcp_oauth2_deps": dict(first.scope["mcp_oauth2_deps"])} | change), scopes)
        assert len(recorder.asked) == number, change


# Requirement.


class Recent:
    """A demand that is not about scopes."""

    def shortfall(self, token, hierarchy):
        return None if token.issued_at else InvalidTokenError("claim", claim="iat")


async def test_a_demand_of_any_kind_is_decided_at_the_gate(auth, issuer):
    token = await auth.authenticator.verify(issuer.token())
    auth.gate.verify(Recent(), token)
    with pytest.raises(InvalidTokenError):
        auth.gate.verify(Recent(), AccessToken())
    with pytest.raises(InsufficientScopeError):
        auth.gate.verify(auth.require_scopes("a").requirement, token)
