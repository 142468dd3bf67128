"""A development issuer and a guarded app on loopback, for this machine only: `python -m mcp_oauth2_deps.demo`."""
