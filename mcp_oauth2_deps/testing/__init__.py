"""An issuer for tests and for development, on this machine only; never for production.

Example:
    ```python
    from mcp_oauth2_deps.testing import DevelopmentIssuer

    with DevelopmentIssuer(audience="http://127.0.0.1:8000/mcp").serve() as issuer:
        headers = issuer.bearer(subject="alice", scopes=["files:read"])
    ```
"""

from mcp_oauth2_deps.testing.authorization_server.clients import Client
from mcp_oauth2_deps.testing.faults import Fault, FaultIssuer
from mcp_oauth2_deps.testing.headless import LoginError, login_headless
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import SigningKey
from mcp_oauth2_deps.testing.loopback import LoopbackServer

__all__ = [
    "Client",
    "DevelopmentIssuer",
    "Fault",
    "FaultIssuer",
    "LoginError",
    "LoopbackServer",
    "SigningKey",
    "login_headless",
]
