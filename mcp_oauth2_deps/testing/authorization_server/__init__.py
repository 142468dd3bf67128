"""The login pages, consent, registration and token endpoint behind `DevelopmentIssuer`; for this machine only."""
