"""A guarded MCP server under uvicorn, an issuer with login pages, and a browser without a screen, for the clients."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from client_document import client_document
from processes import (
    HOST,
    SUPPORT,
    environment,
    free_port,
    install_packages,
    oidc_provider_process,
    recent_node,
    stop,
    wait_until_it_answers,
)

HERE = Path(__file__).parent
SCOPES = '{"mcp:use": "call this server"}'
DRIVER_DEADLINE = 60
# Their browser is a script for a shell.
collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []


@pytest.fixture(scope="session")
def issuer_url(tmp_path_factory):
    """Where the clients send their user. Its pages are plain forms that take alice and her password alice."""
    with oidc_provider_process("login.mjs", tmp_path_factory.mktemp("login") / "stderr.log") as issuer:
        yield issuer


class GuardedServer:
    """The running MCP server."""

    def __init__(self, issuer_url, port, log_path):
        self.issuer_url = issuer_url
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.mcp_url = f"{self.url}/mcp"
        self.log_path = log_path

    def statuses(self, since=0):
        """The statuses of all calls, in the order of their answers; of the demo, which keeps no access log, the refusals."""
        log = self.log_path.read_bytes()[since:].decode()
        served = re.findall(r'"POST /mcp HTTP/1\.1" (\d{3})', log)
        return [int(status) for status in served or re.findall(r"security: refused with (\d{3})", log)]


@pytest.fixture(scope="session")
def serve(issuer_url, tmp_path_factory):
    """Starts an app of this folder: `serve("module:app")`. To who has no token it answers `unasked`."""
    processes = []

    def start(app, *, unasked=401) -> GuardedServer:
        port = free_port()
        server = GuardedServer(issuer_url, port, tmp_path_factory.mktemp("served") / "uvicorn.log")
        settings = {
            "MCP_OAUTH2_ISSUER": issuer_url,
            "MCP_OAUTH2_RESOURCE": server.mcp_url,
            "MCP_OAUTH2_SCOPES": SCOPES,
            "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
        }
        with server.log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", app, "--app-dir", HERE, "--host", HOST, "--port", str(port)],
                env=environment(PYTHONPATH=str(SUPPORT), **settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        wait_until_it_answers(server.mcp_url, process, server.log_path, status=unasked)
        return server

    yield start
    for process in processes:
        stop(process)


@pytest.fixture(scope="session", params=["sdk_app", "demo"])
def guarded_server(request):
    """A server with oidc-provider, and the demo with its own issuer."""
    if request.param == "demo":
        return request.getfixturevalue("demo_server")
    unasked = 405 if request.param.startswith("mixed") else 401
    return request.getfixturevalue("serve")(f"stand_in:{request.param}", unasked=unasked)


@pytest.fixture(scope="session")
def published_client(tmp_path_factory):
    """A document about a client, for those that do not register."""
    with client_document(tmp_path_factory.mktemp("client")) as document:
        yield document


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory, published_client):
    """The demo, as anybody starts it; it also trusts the certificate of the published document."""
    port, issuer_port = free_port(), free_port()
    server = GuardedServer(f"http://{HOST}:{issuer_port}", port, tmp_path_factory.mktemp("demo") / "demo.log")
    command = [sys.executable, "-m", "mcp_oauth2_deps.demo", "--port", str(port), "--issuer-port", str(issuer_port)]
    trusted = environment(SSL_CERT_FILE=published_client.certificate)
    with server.log_path.open("w") as log:
        process = subprocess.Popen(command, env=trusted, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_it_answers(server.mcp_url, process, server.log_path, status=401)
        yield server
    finally:
        stop(process)


class Dance:
    """What one client did, seen from itself, from its browser, and from the server."""

    def __init__(self, result, authorizations, statuses):
        self.result = result
        self.authorizations = authorizations
        self.statuses = statuses

    @property
    def scopes(self):
        """What each authorization request asked for, in order."""
        return [set(request["scope"].split()) for request in self.authorizations]


@pytest.fixture
def dance(guarded_server, tmp_path):
    """Runs a driver: `dance(sys.executable, "driver.py", *arguments)`."""
    asked = tmp_path / "authorizations"
    asked.touch()
    browser = tmp_path / "bin" / "xdg-open"
    browser.parent.mkdir()
    browser_log = shlex.quote(str(tmp_path / "browser.log"))
    # In the background, because a client may wait for its browser to end before it listens.
    browser.write_text(
        f'#!/bin/sh\n{shlex.join([sys.executable, str(HERE / "headless.py")])} "$1" >>{browser_log} 2>&1 </dev/null &\n'
    )
    browser.chmod(0o755)

    def run(*command, **settings) -> Dance:
        before = guarded_server.log_path.stat().st_size
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment(
                HEADLESS=str(HERE / "headless.py"),
                HEADLESS_LOG=str(asked),
                BROWSER=str(browser),
                HOME=str(tmp_path),
                PATH=f"{browser.parent}{os.pathsep}{os.environ['PATH']}",
                PYTHON=sys.executable,
                PYTHONPATH=os.pathsep.join([str(HERE), str(HERE.parent / "support")]),
                **settings,
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DRIVER_DEADLINE,
            check=False,
        )
        noise = tmp_path / "browser.log"
        assert done.returncode == 0, f"{done.stderr}\n{noise.read_text() if noise.is_file() else ''}"
        addresses = asked.read_text().split()
        assert all(address.startswith(guarded_server.issuer_url + "/") for address in addresses)
        requests = [{name: values[0] for name, values in parse_qs(urlsplit(address).query).items()} for address in addresses]
        return Dance(json.loads(done.stdout.splitlines()[-1]), requests, guarded_server.statuses(before))

    return run


@pytest.fixture(scope="session")
def node_clients():
    """The folder where the clients written for Node.js are installed."""
    install_packages(HERE)
    return HERE / "node_modules"


@pytest.fixture(scope="session")
def modern_node(node_clients):
    """Node.js 22.19 or later, which the Inspector needs."""
    return recent_node(node_clients)
