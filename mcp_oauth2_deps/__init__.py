"""FastAPI as an OAuth 2.1 resource server for MCP: the front door, names only."""

from mcp_oauth2_deps import errors, providers
from mcp_oauth2_deps.authenticator import Authenticator
from mcp_oauth2_deps.errors import OAuth2Error
from mcp_oauth2_deps.fastapi.scheme import (
    OAuth2BearerScheme,
    optional_token,
    protected_resource_router,
    require,
    require_scopes,
    until_expiry,
)
from mcp_oauth2_deps.issuer_policy import IssuerPolicy, ScopeSource
from mcp_oauth2_deps.models import AccessToken, Presented, Verified
from mcp_oauth2_deps.protocol.policy import TokenPolicy
from mcp_oauth2_deps.settings import OAuth2Settings
from mcp_oauth2_deps.stores.documents import Document, DocumentSource
from mcp_oauth2_deps.stores.jwks import JWKSStore
from mcp_oauth2_deps.verifiers import Verifier

__all__ = [
    "AccessToken",
    "Authenticator",
    "Document",
    "DocumentSource",
    "IssuerPolicy",
    "JWKSStore",
    "OAuth2BearerScheme",
    "OAuth2Error",
    "OAuth2Settings",
    "Presented",
    "ScopeSource",
    "TokenPolicy",
    "Verified",
    "Verifier",
    "errors",
    "optional_token",
    "protected_resource_router",
    "providers",
    "require",
    "require_scopes",
    "until_expiry",
]
