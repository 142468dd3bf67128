"""The official conformance suite finds nothing at a guarded server that it does not find at an open one."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from code_login import access_token
from processes import environment, stop

HERE = Path(__file__).parent
SUITE_DEADLINE = 120
# Scored checks and others; so few that pass would mean that the suite did not run.
PASSED_BY_THE_SDK = {"2025-11-25": 84, "2026-07-28": 168}


@pytest.fixture(scope="module")
def open_url(serve):
    # The engine asks for an Accept field.
    return serve("everything:open_app", unasked=406).mcp_url


@contextmanager
def token_added(server):
    """The URL of a proxy that adds a token for the server."""
    token = access_token(server.issuer_url, server.mcp_url, "mcp:use")
    with subprocess.Popen(
        [sys.executable, HERE / "token_proxy.py", str(server.port)],
        env=environment(TOKEN=token),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as proxy:
        try:
            yield f"http://127.0.0.1:{int(proxy.stdout.readline())}/mcp"
        finally:
            stop(proxy)


@pytest.fixture(scope="module")
def guarded_url(serve):
    with token_added(serve("everything:guarded")) as url:
        yield url


class Run:
    """A run of the suite that was started."""

    def __init__(self, process, folder):
        self._process = process
        self._folder = folder

    def passed(self) -> Counter:
        """Each check by its scenario and id, with how often it passed. None that is scored has failed."""
        output, _ = self._process.communicate(timeout=SUITE_DEADLINE)
        assert self._process.returncode == 0, output
        found = Counter()
        for path in self._folder.glob("*/checks.json"):
            scenario = path.parent.name[: -len("-2026-11-23T08-19-42-664Z")]
            for check in json.loads(path.read_text()):
                found[scenario, check["id"]] += check["status"] == "SUCCESS"
        return found


@pytest.fixture
def start_suite(modern_node, node_clients, tmp_path):
    """Starts the suite and returns at once, so that two can run beside each other."""
    processes = []

    def start(url, revision) -> Run:
        folder = tmp_path / f"run-{len(processes)}"
        program = node_clients / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
        process = subprocess.Popen(
            [modern_node, program, "server", "--url", url, "--requirements", revision, "--output-dir", folder],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return Run(process, folder)

    yield start
    for process in processes:
        stop(process)
        process.stdout.close()


@pytest.mark.parametrize("revision", PASSED_BY_THE_SDK)
def test_what_passes_unguarded_passes_guarded(start_suite, open_url, guarded_url, revision):
    runs = [start_suite(url, revision) for url in (open_url, guarded_url)]
    unguarded, guarded = [run.passed() for run in runs]
    assert unguarded.total() >= PASSED_BY_THE_SDK[revision]
    assert unguarded - guarded == Counter()
