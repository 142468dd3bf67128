"""RFC 8414 and RFC 7517: where metadata is looked for, and whose word it is."""

import httpx
import pytest

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.protocol.issuer_metadata import read_metadata, well_known_urls
from mcp_oauth2_deps.stores.discovery import discover
from mcp_oauth2_deps.stores.documents import HTTPDocuments

ISSUER = "https://auth.example.com/tenant"
GOOD = {"issuer": ISSUER, "jwks_uri": "https://auth.example.com/keys"}


def test_rfc8414_3_1_the_well_known_part_stands_between_host_and_path():
    assert well_known_urls(ISSUER)[0] == "https://auth.example.com/.well-known/oauth-authorization-server/tenant"


def test_rfc8414_3_1_a_slash_at_the_end_is_removed_before():
    assert well_known_urls(ISSUER + "/")[0] == "https://auth.example.com/.well-known/oauth-authorization-server/tenant"


def test_openid_discovery_4_the_well_known_part_follows_the_path():
    assert well_known_urls(ISSUER)[-1] == "https://auth.example.com/tenant/.well-known/openid-configuration"


@pytest.mark.parametrize("other", [ISSUER + "/", ISSUER.upper(), "https://auth.example.com", None, [ISSUER]], ids=repr)
def test_rfc8414_3_3_a_document_of_another_issuer_is_not_used(other):
    with pytest.raises(DocumentError, match="another issuer"):
        read_metadata(ISSUER, GOOD | {"issuer": other})


async def test_rfc8414_2_the_key_set_is_read_over_https_only():
    with pytest.raises(DocumentError, match="https"):
        await HTTPDocuments(timeout=1).fetch("http://auth.example.com/keys")


async def test_rfc8414_3_2_a_status_but_200_is_no_metadata():
    transport = httpx.MockTransport(lambda request: httpx.Response(404, json=GOOD))
    with pytest.raises(DocumentError, match="404"):
        await discover(ISSUER, HTTPDocuments(timeout=5, transport=transport))
