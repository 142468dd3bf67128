"""A real authorization server (oidc-provider on Node) and a real resource server (uvicorn), both as processes."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from processes import HOST, Answer, environment, fetch, free_port, oidc_provider_process, stop, wait_until_it_answers

HERE = Path(__file__).parent


class OidcProvider:
    """The running issuer. Its clients are `rs256`, `es256` and `eddsa`, each signing by its algorithm."""

    def __init__(self, issuer):
        self.issuer = issuer

    def token(self, client, scope, resource=None) -> str:
        """A client credentials token: a JWT for the resource, or an opaque one without."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": f"{client}-secret",
            "scope": scope,
        }
        if resource is not None:
            form["resource"] = resource
        answer = fetch(f"{self.issuer}/token", data=urlencode(form).encode())
        assert answer.status == 200, answer.body
        return answer.json()["access_token"]

    def rotate(self):
        """All signing keys are replaced, under new ids."""
        answer = fetch(f"{self.issuer}/control/rotate", data=b"")
        assert answer.status == 204, answer.body


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory):
    """The issuer, for the whole session. Rotated keys stay rotated: start the app under test after it."""
    with oidc_provider_process("server.mjs", tmp_path_factory.mktemp("oidc_provider") / "stderr.log") as issuer:
        yield OidcProvider(issuer)


class GuardedApp:
    """The running resource server."""

    def __init__(self, port, log_path):
        self.url = f"http://{HOST}:{port}"
        self.resource = f"{self.url}/mcp"
        self._log_path = log_path

    @property
    def log(self) -> str:
        return self._log_path.read_text("utf-8")

    def get(self, path, token=None) -> Answer:
        return fetch(self.url + path, headers={} if token is None else {"Authorization": f"Bearer {token}"})


@pytest.fixture
def guarded_app(oidc_provider, tmp_path):
    """Starts `app.py` under uvicorn: `guarded_app()`, or `guarded_app(MCP_OAUTH2_...="...")` for other settings."""
    processes = []

    def start(**settings) -> GuardedApp:
        port = free_port()
        app = GuardedApp(port, tmp_path / f"uvicorn-{port}.log")
        defaults = {
            "MCP_OAUTH2_ISSUER": oidc_provider.issuer,
            "MCP_OAUTH2_RESOURCE": app.resource,
            "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
            "MCP_OAUTH2_JWKS_REFRESH_COOLDOWN": "1",
        }
        with app._log_path.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", HERE, "--host", HOST, "--port", str(port)],
                env=environment(**defaults | settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        wait_until_it_answers(f"{app.url}/open", process, app._log_path)
        return app

    yield start
    for process in processes:
        stop(process)
