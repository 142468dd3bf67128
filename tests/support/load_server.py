"""The server process under load: how it is started and ended, and what each of its workers holds."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from load_app import WORKERS
from processes import HOST, environment

APP = Path(__file__).with_name("load_app.py")
RESOURCE = "https://api.example.com/mcp"
# Far above what anything here takes, also on a busy machine.
DEADLINE = 60


async def settled(condition, seconds=DEADLINE):
    """Whether the condition becomes true; asked again and again, and not for ever."""
    deadline = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < deadline:  # noqa: ASYNC110  # what it waits for is in other processes
        await asyncio.sleep(0.01)
    return true


class WorkerProcess:
    """One worker, as the kernel sees it."""

    def __init__(self, process_id):
        self.process_id = process_id
        self._proc = Path("/proc") / str(process_id)

    def resident_bytes(self):
        rollup = (self._proc / "smaps_rollup").read_text("ascii")
        return int(re.search(r"^Rss: +(\d+) kB$", rollup, re.MULTILINE)[1]) * 1024

    def open_files(self):
        return sum(1 for _ in (self._proc / "fd").iterdir())

    def is_alive(self):
        return self._proc.exists()


class LoadedServer:
    """uvicorn with several workers."""

    def __init__(self, issuer, folder, **more):
        self.log_path = folder / "server.log"
        self._log = self.log_path.open("wb")
        settings = {
            "MCP_OAUTH2_ISSUER": issuer.url,
            "MCP_OAUTH2_RESOURCE": RESOURCE,
            "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
            # Tokens with unknown keys make every worker fetch the keys again each second, beside the good tokens.
            "MCP_OAUTH2_JWKS_REFRESH_COOLDOWN": "1",
            "MCP_OAUTH2_HTTP_TIMEOUT": "30",
        }
        # What is measured is the package, not the tracer of a coverage run.
        untraced = {name: value for name, value in environment(**settings, **more).items() if not name.startswith("COVERAGE_")}
        self.process = subprocess.Popen(
            [sys.executable, str(APP)],
            env=untraced,
            stdin=subprocess.PIPE,  # it ends with us, even when we are killed
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        self.workers = []

    def log(self):
        return self.log_path.read_text("utf-8", "replace")

    def wait_until_ready(self):
        """Returns when every worker serves."""
        deadline = time.monotonic() + DEADLINE
        while self.log().count("Application startup complete.") < WORKERS:
            assert time.monotonic() < deadline, self.log()
            assert not self.has_ended(), self.log()
            threading.Event().wait(0.01)
        self.port = int(re.search(rf"running on http://{re.escape(HOST)}:(\d+)", self.log())[1])
        self.workers = [WorkerProcess(int(found)) for found in re.findall(r"Started server process \[(\d+)\]", self.log())]
        assert len(self.workers) == WORKERS

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def has_ended(self):
        return self.process.poll() is not None

    def close(self):
        """Ends it, the hard way where it does not end by itself."""
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            for worker in self.workers:
                if worker.is_alive():
                    os.kill(worker.process_id, signal.SIGKILL)
        self.process.stdin.close()
        self._log.close()
