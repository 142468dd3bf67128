"""A real server process for each HTTP parser of uvicorn, its issuers, a forge and a wire."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asked_issuer import CLIENT_ID, SECRET, AskedIssuer
from attack_support import RESOURCE, AttackedIssuer, Forge, Wire
from cryptography.hazmat.primitives.asymmetric import rsa

from mcp_oauth2_deps.testing import SigningKey
from mcp_oauth2_deps.testing.keys import base64url

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What the server wrote and answered is judged last, when all other tests of this suite have provoked it.

    Before pytest groups the tests by server process, which keeps the order within each group.
    """
    items.sort(key=lambda item: item.path.name == "test_leaks.py")


@dataclass
class Attacked:
    """The server process: how to reach it, and what it has written."""

    parser: str
    wire: Wire
    forge: Forge
    log: Path
    process: Any


def _set_traps(issuer):
    # Of algorithms of which the issuer has one good key only: a token without `kid` then tells whether a trap counts as another.
    issuer.trap("enc", SigningKey.generate("RS256", "enc"), use="enc")
    issuer.trap("signs only", SigningKey.generate("ES384", "signs-only"), key_ops=["sign"])
    issuer.trap("1024 bits", SigningKey("RS256", "small", rsa.generate_private_key(65537, 1024)))
    issuer.trap("alg none", SigningKey.generate("ES384", "alg-none"), alg="none")
    issuer.trap("alg HS256", SigningKey.generate("RS256", "alg-hs256"), alg="HS256")
    issuer.trap("for ES256 only", SigningKey.generate("ES384", "for-es256"), alg="ES256")
    issuer.trap("private", SigningKey.generate("EdDSA", "private"), d="AAAA")
    issuer.trap("kid is a number", SigningKey.generate("ES384", "7"), kid=7)
    # These two are good but for their common name.
    issuer.trap("twin", SigningKey.generate("ES256", "twin"))
    issuer.trap("other twin", SigningKey.generate("ES256", "twin"))
    issuer.extra.append({"kty": "oct", "kid": "oct", "alg": "HS256", "use": "sig", "k": base64url(b"k" * 32)})


@pytest.fixture(scope="session")
def issuers():
    """The trusted issuer with its traps, and another one that is trusted too."""
    issuer, other = AttackedIssuer(), AttackedIssuer()
    _set_traps(issuer)
    with issuer.serve(), other.serve():
        yield issuer, other


@pytest.fixture(scope="session", params=["h11", "httptools"])
def attacked(request, issuers, tmp_path_factory):
    """The app in a process of its own."""
    settings = {"ISSUER": ",".join(issuer.url for issuer in issuers)}
    with attacked_process(request.param, tmp_path_factory.mktemp("attacked"), settings, Forge(*issuers)) as server:
        yield server


@contextmanager
def attacked_process(parser, folder, settings, forge=None):
    """The app in a process of its own, with these settings and those that all rows share."""
    log = folder / f"{parser}.log"
    given = {f"MCP_OAUTH2_{name}": value for name, value in settings.items()}
    environment = (
        {name: value for name, value in os.environ.items() if not name.startswith("MCP_OAUTH2_")}
        | given
        | {
            "MCP_OAUTH2_RESOURCE": RESOURCE,
            "MCP_OAUTH2_ALLOW_INSECURE_HTTP": "true",
            "MCP_OAUTH2_SCOPES": '{"a": "A", "b": "B"}',
            # Its lines then go where all others go; by itself it writes tables for a terminal.
            "FASTMCP_LOG_ENABLED": "false",
            "MCP_OAUTH2_SCOPE_HIERARCHY": '{"admin": ["a"]}',
        }
    )
    command = [sys.executable, str(SUPPORT / "attacked_app.py"), parser]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=output)
        try:
            line = process.stdout.readline()
            assert line.strip().isdigit(), log.read_text("utf-8", "replace")
            server = Attacked(parser, Wire(int(line), log), forge, log, process)
            yield server
            assert process.poll() is None, "the server process died"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            process.stdout.close()


@pytest.fixture(scope="session")
def asked(tmp_path_factory):
    """The app where its issuer is asked about opaque tokens, and that issuer."""
    with AskedIssuer(RESOURCE).serve() as issuer:
        settings = {"ISSUER": issuer.url, "INTROSPECTION": "opaque", "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": SECRET}
        with attacked_process("httptools", tmp_path_factory.mktemp("asked"), settings | {"HTTP_TIMEOUT": "2"}) as server:
            yield server, issuer


@pytest.fixture
def wire(attacked):
    return attacked.wire


@pytest.fixture
def forge(attacked):
    return attacked.forge
