"""What is told of a request and of an issuer's keys, and that whoever listens changes nothing."""

import logging
from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from mcp_oauth2_deps import AccessToken, JWKSStore
from mcp_oauth2_deps.errors import DocumentError, InsufficientScopeError, InvalidTokenError, IssuerUnavailableError
from mcp_oauth2_deps.events import Admitted, Events, KeysRefreshed, KeysUnavailable, Refused


@pytest.fixture
def heard(auth):
    """The events of requests, in their order."""
    events = []
    auth.authenticator.events.add(Admitted, events.append)
    auth.authenticator.events.add(Refused, events.append)
    return events


@pytest.fixture
def client(auth):
    app = FastAPI(dependencies=[Security(auth)])

    @app.get("/", dependencies=[Security(auth.require_scopes("a")), Security(auth.optional_token)])
    def route(token: Annotated[AccessToken, Security(auth)]):
        return token.subject

    return TestClient(app)


def test_who_is_let_in_is_told_once_however_many_dependencies_ask(client, issuer, heard):
    for _ in range(2):
        assert client.get("/", headers=issuer.bearer(subject="alice", scopes=["a"])).status_code == 200
    assert [(type(event), event.token.subject) for event in heard] == [(Admitted, "alice")] * 2


def test_who_is_refused_is_told_with_the_answer_and_the_reason(client, issuer, heard):
    for headers in ({}, {"Authorization": "Bearer x y"}, issuer.bearer(expires_in=-100), issuer.bearer(subject="alice")):
        client.get("/", headers=headers)
    assert [(type(event), event.status, event.error.reason) for event in heard] == [
        (Refused, 401, "missing_credentials"),
        (Refused, 400, "malformed_credentials"),
        (Refused, 401, "expired"),
        (Refused, 403, "insufficient_scope"),
    ]
    assert [event.token and event.token.subject for event in heard] == [None, None, None, "alice"]


def test_an_outage_is_told_with_its_cause(client, issuer, heard, monkeypatch):
    async def down(url):
        raise DocumentError("it answers 500")

    monkeypatch.setattr(issuer, "fetch", down)
    assert client.get("/", headers=issuer.bearer()).status_code == 503
    assert heard[0].status == 503
    assert "it answers 500" in heard[0].error.cause


def test_no_event_holds_the_token(client, issuer, heard):
    good, short, bad = (issuer.token(scopes=["a"]), issuer.token(), issuer.token(expires_in=-100))
    for token in (good, short, bad):
        client.get("/", headers={"Authorization": f"Bearer {token}"})
    assert [type(event) for event in heard] == [Admitted, Refused, Refused]
    for event, token in zip(heard, (good, short, bad), strict=True):
        assert not any(part in repr(event) for part in token.split("."))


@pytest.mark.parametrize(("scopes", "status"), [(["a"], 200), ([], 403)])
def test_a_listener_that_fails_changes_no_answer_and_is_logged(auth, client, issuer, caplog, *, scopes, status):
    def fail(event):
        raise RuntimeError("no disk")

    heard = []
    for kind in (Admitted, Refused):
        auth.authenticator.events.add(kind, fail)
        auth.authenticator.events.add(kind, heard.append)
    answer = client.get("/", headers=issuer.bearer(subject="alice", scopes=scopes))
    assert answer.status_code == status
    assert len(heard) == 1, "those after it hear of it"
    (line,) = [record for record in caplog.records if record.name == "mcp_oauth2_deps.events"]
    assert line.getMessage() == f"a listener failed at {type(heard[0]).__name__}"
    assert line.levelno == logging.ERROR
    assert "no disk" in str(line.exc_info[1])


@pytest.fixture
def keys(issuer):
    """A store and the events of its fetches."""
    heard, events = [], Events()
    for kind in (KeysRefreshed, KeysUnavailable):
        events.add(kind, heard.append)
    return JWKSStore(issuer, cooldown=7, events=events), heard


async def test_fetched_keys_are_told(keys, issuer):
    store, heard = keys
    await store.key_set(issuer.url)
    assert heard == [KeysRefreshed(issuer.url, 1, frozenset({issuer.key.kid}), (), 600)]


async def test_keys_that_cannot_be_fetched_are_told_with_what_that_means(keys, issuer, monkeypatch):
    store, heard = keys

    async def down(url):
        raise DocumentError("it answers 500")

    monkeypatch.setattr(issuer, "fetch", down)
    with pytest.raises(IssuerUnavailableError):
        await store.key_set(issuer.url)
    assert [(type(event), event.issuer, event.usable_for, event.retry_in) for event in heard] == [
        (KeysUnavailable, issuer.url, 0, 7)
    ]
    assert heard[0].cause.endswith("it answers 500")


def test_nobody_hears_of_what_nobody_asked_for():
    events, heard = Events(), []
    events.add(Admitted, heard.append)
    assert events.heard == {Admitted}
    events.emit(Refused(401, InvalidTokenError("expired"), None))
    events.emit(Refused(403, InsufficientScopeError(required=(), granted=frozenset(), missing=()), None))
    assert heard == []
