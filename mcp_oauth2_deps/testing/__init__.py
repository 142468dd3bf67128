"""An issuer for tests and for development, on this machine only; never for production."""

from mcp_oauth2_deps.testing.issuer import Client as Client
from mcp_oauth2_deps.testing.issuer import DevelopmentIssuer as DevelopmentIssuer
from mcp_oauth2_deps.testing.keys import SigningKey as SigningKey
from mcp_oauth2_deps.testing.server import LoopbackServer as LoopbackServer
