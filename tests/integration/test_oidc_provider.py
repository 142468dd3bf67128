"""Laws that hold with tokens of a certified authorization server, over real sockets."""

import threading
import time
from collections import Counter

import pytest

COOLDOWN = 1
# For a machine that is busy; far below the default cooldown of 30 seconds.
SLACK = 5
CLIENTS = ["rs256", "es256", "eddsa"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_token_passes_whatever_kind_of_key_signed_it(oidc_provider, guarded_app, client):
    app = guarded_app()
    answer = app.get("/whoami", oidc_provider.token(client, "tools:call tools:read", app.resource))
    assert answer.status == 200, app.log
    assert answer.json() == {
        "subject": client,
        "client_id": client,
        "scopes": ["tools:call", "tools:read"],
        "issuer": oidc_provider.issuer,
    }


def test_what_is_not_for_this_resource_is_an_invalid_token(oidc_provider, guarded_app):
    app = guarded_app()
    opaque = oidc_provider.token("rs256", "tools:call")
    elsewhere = oidc_provider.token("rs256", "tools:call", f"{app.url}/other")
    assert "." not in opaque
    for token in (opaque, elsewhere):
        answer = app.get("/whoami", token)
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert token not in app.log


def test_a_token_without_the_scope_is_told_which_one(oidc_provider, guarded_app):
    app = guarded_app()
    answer = app.get("/whoami", oidc_provider.token("es256", "tools:read", app.resource))
    assert answer.status == 403
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="tools:call"' in challenge


def test_without_a_token_the_challenge_leads_to_the_issuer(oidc_provider, guarded_app):
    app = guarded_app()
    answer = app.get("/whoami")
    assert answer.status == 401
    metadata_url = f"{app.url}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{metadata_url}"' in answer.headers["WWW-Authenticate"]
    metadata = app.get(metadata_url.removeprefix(app.url)).json()
    assert metadata["resource"] == app.resource
    assert metadata["authorization_servers"] == [oidc_provider.issuer]
    assert app.get("/open").status == 200


class Load:
    """Requests without a pause, from several threads, with every token that was ever added."""

    def __init__(self, app, threads=4):
        self.tokens = []
        self.statuses = Counter()
        self.failures = []
        self._app = app
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._ended.is_set():
            for token in tuple(self.tokens):
                try:
                    status = self._app.get("/whoami", token).status
                except Exception as error:  # the test reports it; the other threads go on
                    self.failures.append(error)
                    return
                with self._lock:
                    self.statuses[status] += 1


def seconds_until(app, token, status):
    started = time.monotonic()
    while (answer := app.get("/whoami", token)).status != status:
        assert answer.status in {200, 401}, app.log
        elapsed = time.monotonic() - started
        assert elapsed < COOLDOWN + SLACK, f"still {answer.status} after {elapsed:.1f} s"
        time.sleep(0.02)
    return time.monotonic() - started


def test_keys_rotated_under_load_are_found_after_at_most_the_cooldown(oidc_provider, guarded_app):
    app = guarded_app()
    with Load(app) as load:
        # From the second rotation on, tokens of forgotten keys keep the refresh in its cooldown.
        for client in CLIENTS:
            old = oidc_provider.token(client, "tools:call", app.resource)
            load.tokens.append(old)
            seconds_until(app, old, 200)
            oidc_provider.rotate()
            # The same token all the time: a refusal during the cooldown must not be remembered.
            new = oidc_provider.token(client, "tools:call", app.resource)
            load.tokens.append(new)
            seconds_until(app, new, 200)
            seconds_until(app, old, 401)
    assert not load.failures
    assert set(load.statuses) == {200, 401}, load.statuses
    assert "Traceback" not in app.log
