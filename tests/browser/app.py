"""The demo's app with an issuer that is not the demo's; configured by the environment alone."""

from mcp_oauth2_deps import OAuth2Settings
from mcp_oauth2_deps.demo.app import SCOPES, create_app

app = create_app(OAuth2Settings(scopes=SCOPES))
