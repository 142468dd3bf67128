import json
import shlex
import signal
import socket
import subprocess
import sys

import pytest

DEMO = [sys.executable, "-m", "mcp_oauth2_deps.demo"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_three_lines_say_401_403_and_200_and_ctrl_c_ends_it_cleanly():
    ports = [str(free_port()), str(free_port())]
    command = [*DEMO, "--port", ports[0], "--issuer-port", ports[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout:
            lines += [line] if line.startswith("curl") else []
            if len(lines) == 3:
                break
        answers = [
            subprocess.run([*shlex.split(line), "-s"], capture_output=True, text=True, check=True).stdout for line in lines
        ]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
    assert [answer.split()[1] for answer in answers] == ["401", "403", "200"]
    assert "www-authenticate: Bearer resource_metadata=" in answers[0]
    assert 'scope="files:read mcp:use"' in answers[1]
    assert json.loads(answers[2].splitlines()[-1])["subject"] == "demo"
    assert process.returncode == 0
    assert rest.strip() == "Stopped."
    assert "Traceback" not in errors


@pytest.mark.parametrize("option", ["--port", "--issuer-port"])
def test_a_taken_port_is_one_clear_line(option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "--issuer-port" if option == "--port" else "--port"
        command = [*DEMO, option, str(port), other, str(free_port())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Port {port} on 127.0.0.1 cannot be used (Address already in use); choose another with {option}."
    ]
