"""An issuer for tests and for development, on this machine only; never for production."""

from mcp_oauth2_deps.testing.clients import Client as Client
from mcp_oauth2_deps.testing.faults import Fault as Fault
from mcp_oauth2_deps.testing.faults import FaultIssuer as FaultIssuer
from mcp_oauth2_deps.testing.headless import LoginError as LoginError
from mcp_oauth2_deps.testing.headless import login_headless as login_headless
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer as DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import SigningKey as SigningKey
from mcp_oauth2_deps.testing.server import LoopbackServer as LoopbackServer
