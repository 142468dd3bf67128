"""In which order the places of an issuer's metadata are asked, and what ends the search."""

import pytest

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.discovery import discover
from mcp_oauth2_deps.stores.documents import Document

GOOD = {"issuer": "https://a.example/t", "jwks_uri": "https://a.example/jwks", "token_endpoint": "https://a.example/token"}
PLACES = [
    "https://a.example/.well-known/oauth-authorization-server/t",
    "https://a.example/.well-known/openid-configuration/t",
    "https://a.example/t/.well-known/openid-configuration",
]


class Documents:
    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    async def fetch(self, url):
        self.asked.append(url)
        answer = self.answers.get(url, DocumentError("it answers 404"))
        if isinstance(answer, Exception):
            raise answer
        return Document(answer)


@pytest.mark.parametrize("place", PLACES)
async def test_each_of_the_three_forms_is_found_in_order(place):
    documents = Documents({place: GOOD})
    metadata = await discover("https://a.example/t", documents)
    assert metadata.jwks_uri == "https://a.example/jwks"
    assert metadata.token_endpoint == "https://a.example/token"
    assert metadata.authorization_endpoint is None
    assert documents.asked == PLACES[: PLACES.index(place) + 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "https://a.example/t/"}, "another issuer"),
    ],
)
async def test_a_document_that_does_not_speak_for_the_issuer_is_not_used(change, says):
    with pytest.raises(DocumentError, match=says):
        await discover("https://a.example/t", Documents(dict.fromkeys(PLACES, GOOD | change)))


async def test_a_host_that_does_not_answer_is_asked_once():
    documents = Documents({PLACES[0]: DocumentError("no connection", unreachable=True)})
    with pytest.raises(DocumentError) as caught:
        await discover("https://a.example/t", documents)
    assert caught.value.unreachable
    assert documents.asked == PLACES[:1]
