"""A real authorization server (oidc-provider on Node) and a real resource server (uvicorn), both as processes."""

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

HERE = Path(__file__).parent
PROVIDER = HERE / "oidc_provider"
HOST = "127.0.0.1"
START_DEADLINE = 30
INSTALL_DEADLINE = 300

# Loopback is never asked through a proxy.
_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


def fetch(url, *, data=None, headers=None, timeout=10) -> Answer:
    """The answer, whatever its status."""
    request = Request(url, data=data, headers=headers or {})
    try:
        with _opener.open(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class OidcProvider:
    """The running issuer. Its clients are `rs256`, `es256` and `eddsa`, each signing by its algorithm."""

    def __init__(self, port):
        self.issuer = f"http://{HOST}:{port}"

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


def _program(name):
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed; the tests against oidc-provider need Node.js 20 or later with npm"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def _install(npm):
    # npm writes this file last, so an install that was cut off is done again.
    installed = PROVIDER / "node_modules" / ".package-lock.json"
    lock = PROVIDER / "package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=PROVIDER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_DEADLINE,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"npm ci failed in {PROVIDER}:\n{done.stdout}")


def _first_line(stream, seconds):
    lines = queue.Queue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return ""


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory):
    """The issuer, for the whole session. Rotated keys stay rotated: start the app under test after it."""
    node, npm = _program("node"), _program("npm")
    _install(npm)
    log_path = tmp_path_factory.mktemp("oidc_provider") / "stderr.log"
    with (
        log_path.open("w") as log,
        subprocess.Popen(
            [node, "server.mjs"],
            cwd=PROVIDER,
            stdin=subprocess.PIPE,  # it ends with us, even when we are killed
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            line = _first_line(process.stdout, START_DEADLINE)
            if not line:
                pytest.fail(f"oidc-provider did not start:\n{log_path.read_text()}")
            yield OidcProvider(json.loads(line)["port"])
        finally:
            stop(process)


class GuardedApp:
    """The running resource server."""

    def __init__(self, port, log_path):
        self.url = f"http://{HOST}:{port}"
        self.resource = f"{self.url}/mcp"
        self._log_path = log_path

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def get(self, path, token=None) -> Answer:
        return fetch(self.url + path, headers={} if token is None else {"Authorization": f"Bearer {token}"})


def _free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _wait_until_it_answers(app, process):
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"uvicorn ended with {process.returncode}:\n{app.log}")
        try:
            if app.get("/open").status == 200:
                return
        except (OSError, HTTPException):
            pass
        time.sleep(0.02)
    pytest.fail(f"uvicorn did not answer within {START_DEADLINE} s:\n{app.log}")


@pytest.fixture
def guarded_app(oidc_provider, tmp_path):
    """Starts `app.py` under uvicorn: `guarded_app()`, or `guarded_app(MCP_OAUTH2_...="...")` for other settings."""
    processes = []

    def start(**settings) -> GuardedApp:
        port = _free_port()
        app = GuardedApp(port, tmp_path / f"uvicorn-{port}.log")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MCP_OAUTH2_")}
        environment = {
            "MCP_OAUTH2_ISSUER": oidc_provider.issuer,
            "MCP_OAUTH2_RESOURCE": app.resource,
            "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
            "MCP_OAUTH2_JWKS_REFRESH_COOLDOWN": "1",
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }
        with app._log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "app:app", "--app-dir", HERE, "--host", HOST, "--port", str(port)],
                env=inherited | environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        _wait_until_it_answers(app, process)
        return app

    yield start
    for process in processes:
        stop(process)
