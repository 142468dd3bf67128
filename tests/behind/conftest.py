"""Callers of servers behind the guard, in process."""

import pytest
from behind.worlds import running


@pytest.fixture
def guarded(auth, issuer):
    """A server behind its guard: `async with guarded(server, table) as caller`, then `caller("alice", "vault")`."""
    return lambda server, table, **options: running(auth, issuer, server, table, **options)
