"""The demo as a person at a terminal sees it: lines to paste, a client that logs in, and a clean end."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys

import pytest
from demo_process import COMMAND, running_demo
from processes import free_port


def test_the_lines_to_paste_say_401_403_200_and_give_a_token_and_ctrl_c_ends_it_cleanly():
    with running_demo() as demo:
        answers = [
            subprocess.run([*shlex.split(line), "-s"], capture_output=True, text=True, check=True).stdout for line in demo.lines
        ]
        demo.process.send_signal(signal.SIGINT)
        rest, errors = demo.process.communicate(timeout=20)
    assert [answer.split()[1] for answer in answers[:3]] == ["401", "403", "200"]
    assert "www-authenticate: Bearer resource_metadata=" in answers[0]
    assert 'scope="files:read mcp:use"' in answers[1]
    assert json.loads(answers[2].splitlines()[-1])["subject"] == "demo"
    assert json.loads(answers[3])["scope"] == "files:write mcp:use"
    assert demo.process.returncode == 0
    assert rest.strip() == "Stopped."
    assert "Traceback" not in errors


def test_its_client_logs_in_with_a_browser_steps_up_twice_and_calls_three_tools(tmp_path):
    browser = tmp_path / "browser"
    program = "import sys; from mcp_oauth2_deps.testing.headless import login_headless; login_headless(sys.argv[1], deliver=True)"
    browser.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", program])} "$1" &\n')
    browser.chmod(0o755)
    with running_demo() as demo:
        command = [sys.executable, "-m", "mcp_oauth2_deps.demo.client", demo.mcp_url]
        environment = {**os.environ, "BROWSER": str(browser)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("whoami", "read_file", "write_file"))]
    assert lines == ["whoami: alice", "read_file: read a.txt", "write_file: wrote 5 to b.txt"]
    assert done.stdout.count("/authorize?") == 3


@pytest.mark.parametrize("option", ["--port", "--issuer-port"])
def test_a_taken_port_is_one_clear_line(option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "--issuer-port" if option == "--port" else "--port"
        command = [*COMMAND, option, str(port), other, str(free_port())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Port {port} on 127.0.0.1 cannot be used (Address already in use); choose another with {option}."
    ]
