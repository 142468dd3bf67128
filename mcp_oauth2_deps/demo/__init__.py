"""A development issuer and a guarded app on loopback: `python -m mcp_oauth2_deps.demo`."""
