"""The demo in a process of its own, and what it prints for people to paste."""

import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import Popen

from processes import HOST, environment, free_port

COMMAND = [sys.executable, "-m", "mcp_oauth2_deps.demo"]


@dataclass(frozen=True)
class Demo:
    """A running demo: its two ports, the secret of this start, and the lines to paste."""

    process: Popen
    port: int
    issuer_port: int
    secret: str
    lines: list

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    @property
    def mcp_url(self):
        return f"{self.url}/mcp"

    @property
    def issuer_url(self):
        return f"http://{HOST}:{self.issuer_port}"


@contextmanager
def running_demo(*options):
    """The demo while the block runs; it is killed at the end."""
    port, issuer_port = free_port(), free_port()
    command = [*COMMAND, "--port", str(port), "--issuer-port", str(issuer_port), *options]
    with Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            text, lines = "", []
            # The last line to paste ends what it prints.
            while len(lines) < (5 if "--opaque" in options else 4) and (line := process.stdout.readline()):
                text += line
                lines += [line] if line.startswith("curl") else []
            secret = re.search(r"secret of this start is (\S+)", text)
            assert secret, text + process.stderr.read()
            yield Demo(process, port, issuer_port, secret[1], lines)
        finally:
            process.kill()
