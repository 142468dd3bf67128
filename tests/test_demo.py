"""The demo as a person at a terminal sees it: lines to paste, a client that logs in, and a clean end."""

import errno
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from demo_process import COMMAND, running_demo
from processes import free_port, program


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a whole console there, this test run too")
@pytest.mark.parametrize("options", [[], ["--opaque"]])
def test_the_lines_to_paste_say_401_403_200_and_give_a_token_and_ctrl_c_ends_it_cleanly(options):
    with running_demo(*options) as demo:
        answers = [
            subprocess.run(
                [program("curl", "curl"), *shlex.split(line)[1:], "-s"], capture_output=True, text=True, check=True
            ).stdout
            for line in demo.lines
        ]
        demo.process.send_signal(signal.SIGINT)
        rest, errors = demo.process.communicate(timeout=20)
    assert [answer.split()[1] for answer in answers[:3]] == ["401", "403", "200"]
    assert "www-authenticate: Bearer resource_metadata=" in answers[0]
    assert 'scope="files:read mcp:use"' in answers[1]
    assert json.loads(answers[2].splitlines()[-1])["subject"] == "demo"
    assert json.loads(answers[3])["scope"] == "files:write mcp:use"
    opaque = json.loads(answers[3])["access_token"].count(".") == 0
    assert opaque is bool(options)
    if opaque:
        assert json.loads(answers[4])["scope"] == "files:read mcp:use"
    assert demo.process.returncode == 0
    assert rest.strip() == "Stopped."
    assert "Traceback" not in errors


@pytest.mark.parametrize("options", [[], ["--document"]])
def test_its_client_logs_in_with_a_browser_steps_up_twice_and_calls_three_tools(tmp_path, options):
    browser = tmp_path / "browser.py"
    browser.write_text(
        "import sys\nfrom mcp_oauth2_deps.testing import login_headless\nlogin_headless(sys.argv[1], deliver=True)\n",
        "utf-8",
    )
    with running_demo() as demo:
        command = [sys.executable, "-m", "mcp_oauth2_deps.demo.client", demo.mcp_url, *options]
        environment = {**os.environ, "BROWSER": f"{Path(sys.executable).as_posix()} {browser.as_posix()} %s &"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("whoami", "read_file", "write_file"))]
    assert lines == ["whoami: alice", "read_file: read a.txt", "write_file: wrote 5 to b.txt"]
    assert done.stdout.count("/authorize?") == 3
    assert done.stdout.count("client.json") == (3 if options else 0)


@pytest.mark.parametrize("option", ["--port", "--issuer-port"])
def test_a_taken_port_is_one_clear_line(option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        # Each system says it in its own words.
        with socket.socket() as second, pytest.raises(OSError, match=str(errno.EADDRINUSE)) as caught:
            second.bind(("127.0.0.1", port))
        other = "--issuer-port" if option == "--port" else "--port"
        command = [*COMMAND, option, str(port), other, str(free_port())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Port {port} on 127.0.0.1 cannot be used ({caught.value.strerror}); choose another with {option}."
    ]
