"""What the issuers have in common: a process each, an environment of their own, and the guarded server that trusts them."""

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from processes import HOST, SUPPORT, environment, fetch, free_port, install, program, stop, wait_until_it_answers
from reasons import reasons_in

from mcp_oauth2_deps.testing import login_headless

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / "build" / "issuers"
# What the guarded server is given where an issuer's tokens are opaque: each such issuer knows it by these.
INTROSPECTION = {
    "MCP_OAUTH2_INTROSPECTION": "opaque",
    "MCP_OAUTH2_CLIENT_ID": "guard",
    "MCP_OAUTH2_CLIENT_SECRET": "guards-secret",
}
SCOPES = ("mcp:use", "files:read", "files:write")


@dataclass(frozen=True)
class Issuer:
    """A running issuer, and what has to be known to log in there."""

    url: str
    subject: str | None
    """Who alice is in its tokens; None where the issuer makes a name up, which her ID token then holds."""
    walk: Callable[[str], str] = login_headless
    """From an authorization URL to the redirect with the code, as alice."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the guarded server is given beside issuer and resource."""
    registration: Mapping[str, object] = field(default_factory=dict)
    """What a client that registers itself must say there beside its redirect URI."""
    client: Mapping[str, str] | None = None
    """The client that the operator has made, where clients cannot register themselves."""
    other_client: Mapping[str, str] | None = None
    """The client for the other resource, where the issuer knows resources by their clients."""
    client_document: str | None = None
    """The URL that is the client's id, where the issuer takes Client ID Metadata Documents."""
    oidc_client: Mapping[str, str] | None = None
    """The client that the operator has made, where only such a one gets ID tokens."""


class Row(NamedTuple):
    """An issuer, how its access tokens begin, and why its other tokens are refused."""

    name: str
    running: Callable
    header: Mapping[str, str] | None
    """The header of its access tokens, without the value of `kid`; None where these are opaque."""
    refused: Mapping[str, str]
    host: str | None = None


def python_with(folder: Path) -> Path:
    """The interpreter of an environment in which is what the folder's requirements.txt pins, and nothing else."""
    pinned = (folder / "requirements.txt").read_text("utf-8")
    place = ENVIRONMENTS / f"{folder.name}-{sys.version_info.major}.{sys.version_info.minor}"
    interpreter, done = place / "bin" / "python", place / "installed.txt"
    # Written last, so an install that was cut off is done again.
    if done.is_file() and done.read_text("utf-8") == pinned:
        return interpreter
    uv = program("uv", needed="uv, which makes an environment for each issuer")
    installed = ["--python", str(interpreter), "--requirements", str(folder / "requirements.txt")]
    # Constraints are for our own environment.
    variables = {name: value for name, value in environment().items() if name != "UV_CONSTRAINT"}
    for command in (["venv", "--clear", "--python", sys.executable, str(place)], ["pip", "install", "--no-deps", *installed]):
        install([uv, *command], env=variables)
    done.write_text(pinned, "utf-8")
    return interpreter


@contextmanager
def process(command, *, log, ready, status=200, folder=None, **settings) -> Iterator[subprocess.Popen]:
    """A program that runs until the end of the block; it is up as soon as the URL `ready` answers with this status."""
    with log.open("w", encoding="utf-8") as lines:
        started = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_answers(ready, started, log, status=status)
        yield started
    finally:
        stop(started)


class GuardedServer:
    """The running server behind our guard."""

    def __init__(self, url, log):
        self.url, self.log = url, log
        self.mcp_url = f"{url}/mcp"

    def statuses(self, since=0):
        """The statuses of all messages to the MCP server, in the order of their answers."""
        return [int(status) for status in re.findall(rb'"POST /mcp HTTP/1\.1" (\d{3})', self.log.read_bytes()[since:])]

    def ask(self, token):
        """The answer of the guarded route, and why it refused."""
        before = self.log.stat().st_size
        answer = fetch(f"{self.url}/whoami", headers={"Authorization": f"Bearer {token}"})
        lines = self.log.read_bytes()[before:].decode()
        assert token not in lines
        reasons = reasons_in(lines.splitlines())
        return answer, reasons[0] if reasons else None


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A free port that stays ours: the URL of the guarded server is known before it runs."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server


@contextmanager
def guarded(sock, issuer, resource, log) -> Iterator[GuardedServer]:
    """Our server, which trusts this issuer, for the resource that ends in `/mcp`."""
    settings = {
        "MCP_OAUTH2_ISSUER": issuer.url,
        "MCP_OAUTH2_RESOURCE": resource,
        "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
        **issuer.settings,
    }
    server = GuardedServer(resource.removesuffix("/mcp"), log)
    command = [sys.executable, "-m", "uvicorn", "guarded:app", "--app-dir", str(HERE), "--fd", str(sock.fileno())]
    with log.open("w", encoding="utf-8") as lines:
        started = subprocess.Popen(
            command,
            env=environment(PYTHONPATH=str(SUPPORT), **settings),
            pass_fds=[sock.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_answers(server.mcp_url, started, log, status=401)
        yield server
    finally:
        stop(started)


@contextmanager
def python_server(place, folder, *arguments, path="", metadata="oauth-authorization-server", **facts) -> Iterator[Issuer]:
    """The `server.py` of an issuer written in Python, in the environment of its folder.

    Args:
        place: the folder of the issuer, with its `server.py` and what it needs.
        folder: for its log.
        arguments: of the server, after its port.
        path: of the issuer's URL.
        metadata: the well-known name at which it answers as soon as it is up.
        facts: of the issuer.
    """
    port = free_port()
    url = f"http://{HOST}:{port}{path}"
    command = [python_with(place), place / "server.py", port, *arguments]
    with process(command, log=folder / "server.log", ready=f"{url}/.well-known/{metadata}"):
        yield Issuer(url, **facts)


def installed(name, package, series):
    """A program of Debian's, of a release of this series; without it the test is skipped, and fails in CI."""
    path = program(name, needed=f"the Debian package {package} (see .ci/issuers.sh)")
    asked = ["dpkg-query", "--show", "--showformat=${Version}", package]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert version.startswith(series), f"{package} {version} is installed; this was written for {series}"
    return path


def part_of(token, index):
    """The header (0) or the claims (1), unverified."""
    part = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
