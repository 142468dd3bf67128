"""FastAPI as an OAuth 2.1 resource server for MCP: the front door, names only."""

from mcp_oauth2_deps import errors as errors
from mcp_oauth2_deps.authenticator import Authenticator as Authenticator
from mcp_oauth2_deps.errors import OAuth2Error as OAuth2Error
from mcp_oauth2_deps.fastapi.scheme import OAuth2BearerScheme as OAuth2BearerScheme
from mcp_oauth2_deps.fastapi.scheme import optional_token as optional_token
from mcp_oauth2_deps.fastapi.scheme import protected_resource_router as protected_resource_router
from mcp_oauth2_deps.fastapi.scheme import require_scopes as require_scopes
from mcp_oauth2_deps.fastapi.scheme import until_expiry as until_expiry
from mcp_oauth2_deps.models import AccessToken as AccessToken
from mcp_oauth2_deps.protocol.policy import TokenPolicy as TokenPolicy
from mcp_oauth2_deps.settings import OAuth2Settings as OAuth2Settings
from mcp_oauth2_deps.stores.documents import Document as Document
from mcp_oauth2_deps.stores.documents import DocumentSource as DocumentSource
from mcp_oauth2_deps.stores.jwks import JWKSStore as JWKSStore
