"""An issuer whose tokens cannot be told from those for others: people log in there, and our server lets nobody in."""

import issuers.canaille.issuer as canaille
import pytest
from issuers.harness import Row, part_of
from reasons import detail

ROW = Row("canaille", canaille.running, header={"alg": "RS256", "typ": "JWT", "kid": "any"}, refused={})
pytestmark = pytest.mark.parametrize("row", [ROW], ids=["canaille"])


def test_a_token_for_the_client_is_refused_and_the_log_says_whom_it_is_for(row, place, alice):
    token = alice(place.server.mcp_url, "mcp:use", "openid")["access_token"]
    assert part_of(token, 0) | {"kid": "any"} == row.header
    claims = part_of(token, 1)
    assert claims.keys().isdisjoint({"scope", "scp", "client_id"})
    before = place.server.log.stat().st_size
    answer, reason = place.server.ask(token)
    assert (answer.status, reason) == (401, "audience (aud)")
    assert answer.json()["detail"] == detail(reason)
    assert claims["aud"][0] in place.server.log.read_bytes()[before:].decode()
