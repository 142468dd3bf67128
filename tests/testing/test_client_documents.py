"""Clients that did not register: their identifier is the URL of a document about them."""

import asyncio
from collections import Counter

import pytest

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import Document
from mcp_oauth2_deps.testing import Client, DevelopmentIssuer
from mcp_oauth2_deps.testing.authorization_server.parameters import RefusedError

URL = "https://client.example/client.json"
CALLBACK = "http://127.0.0.1:3000/callback"
GOOD = {
    "client_id": URL,
    "client_name": "Files",
    "redirect_uris": [CALLBACK, "https://client.example/back"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}


class Web:
    """Stands for the network: documents by their URLs."""

    def __init__(self):
        self.documents, self.asked = {URL: Document(GOOD)}, Counter()

    async def fetch(self, url):
        self.asked[url] += 1
        try:
            return self.documents[url]
        except KeyError:
            raise DocumentError("it answers 404") from None


@pytest.fixture
def web():
    return Web()


@pytest.fixture
def browser(make_browser, web):
    return make_browser(documents=web)


def test_the_metadata_says_that_documents_are_taken_and_that_public_clients_are(issuer):
    metadata = issuer.metadata()
    assert metadata["client_id_metadata_document_supported"] is True
    assert "none" in metadata["token_endpoint_auth_methods_supported"]


def test_a_client_logs_in_and_refreshes_without_a_registration(browser, web):
    tokens = browser.redeem(browser.code(client_id=URL), client_id=URL).json()
    answer = browser.refresh(tokens["refresh_token"], client_id=URL)
    assert browser.claims(answer)["client_id"] == URL
    # The token endpoint fetches nothing: any program may ask it.
    assert web.asked == {URL: 1}


def test_the_pages_show_the_host_that_vouches_for_the_name(browser):
    page = browser.authorize(client_id=URL)
    assert "<strong>Files</strong> of client.example asks for access" in page.text
    assert "<dt>Who says so</dt><dd>client.example</dd>" in browser.log_in(page).text
    browser.issuer.known_clients.keep("registered", Client(redirect_uris=(CALLBACK,), name="Files"))
    assert "Who says so" not in browser.authorize(client_id="registered").text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"client_id": None}, "its client_id is not its URL"),
        ({"client_id": "https://client.example/client.json/"}, "its client_id is not its URL"),
        ({"client_id": "https://CLIENT.example/client.json"}, "its client_id is not its URL"),
        ({"client_id": [URL]}, "its client_id is not its URL"),
        ({"client_secret": "x"}, "it has a client_secret"),
        ({"client_secret_expires_at": 0}, "it has a client_secret"),
        ({"token_endpoint_auth_method": "client_secret_post"}, "its token_endpoint_auth_method is not none"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "its token_endpoint_auth_method is not none"),
        ({"redirect_uris": None}, "redirect_uris is not a list"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "a redirect URI is neither https"),
        ({"client_name": "a\u202eb"}, "client_name is not a printable string"),
        ({"response_types": ["token"]}, "response_types does not hold code"),
    ],
)
def test_a_document_with_one_thing_wrong_is_not_used(browser, web, change, says):
    web.documents[URL] = Document(GOOD | change)
    page = browser.authorize(client_id=URL)
    assert (page.status_code, says in page.text) == (400, True), page.text
    assert browser.redeem("code", client_id=URL).json()["error"] == "invalid_client"


def test_a_document_may_leave_out_how_the_client_proves_itself(browser, web):
    web.documents[URL] = Document({name: GOOD[name] for name in ("client_id", "redirect_uris")})
    assert browser.authorize(client_id=URL).status_code == 200


@pytest.mark.parametrize(
    "uri",
    ["https://client.example/back/", "https://client.example/other", "http://127.0.0.1:3000/other", "https://a.example/back"],
)
def test_an_answer_goes_to_no_address_that_the_document_does_not_name(browser, uri):
    page = browser.authorize(client_id=URL, redirect_uri=uri)
    assert (page.status_code, "redirect_uri" in page.text) == (400, True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://client.example/c", "its URL must use https"),
        ("https://client.example", "its URL has no path"),
        ("https://client.example/a/../c", "segment of dots"),
        ("https://client.example/a/%2E%2e/c", "segment of dots"),
        ("https://client.example/./c", "segment of dots"),
        ("https://client.example/c#f", "its URL has a fragment"),
        ("https://user@client.example/c", "its URL holds a user name"),
        ("https://client.example\\@127.0.0.1/c", "its URL holds white space"),
        ("https://client.example/" + "c" * 2000, "its URL is too long"),
        ("HTTP://client.example/c", "its URL must use https"),
    ],
)
def test_a_url_that_is_no_identifier_is_not_asked(browser, web, url, says):
    web.documents[url] = Document(GOOD | {"client_id": url})
    page = browser.authorize(client_id=url)
    assert (page.status_code, says in page.text) == (400, True), page.text
    assert not web.asked


@pytest.mark.parametrize("destination", ["image", "iframe", "script", "empty"])
def test_a_page_makes_no_issuer_fetch_by_what_it_embeds(browser, web, destination):
    answer = browser.get("/authorize", params={"client_id": URL}, headers={"Sec-Fetch-Dest": destination})
    assert (answer.status_code, sum(web.asked.values())) == (403, 0)


def test_another_scheme_names_no_document(browser, web):
    assert "is not registered" in browser.authorize(client_id="file:///etc/hosts").text
    assert not web.asked


def test_what_went_wrong_is_shown_and_not_remembered(browser, web):
    del web.documents[URL]
    assert "it answers 404" in browser.authorize(client_id=URL).text
    web.documents[URL] = Document(GOOD)
    assert browser.authorize(client_id=URL).status_code == 200


@pytest.mark.parametrize(("max_age", "again_after"), [(None, 0), (0, 0), (60, 60), (10**9, 3600)])
def test_a_document_is_used_again_as_long_as_it_says_and_an_hour_at_most(browser, web, clock, max_age, again_after):
    web.documents[URL] = Document(GOOD, max_age)
    browser.authorize(client_id=URL)
    clock.now += max(again_after - 1, 0)
    browser.authorize(client_id=URL)
    assert web.asked[URL] == (1 if again_after else 2)
    clock.now += 1
    web.documents[URL] = Document(GOOD | {"redirect_uris": ["https://client.example/new"]})
    assert browser.authorize(client_id=URL).status_code == 400


def test_a_client_given_in_code_is_not_fetched(make_browser, web):
    browser = make_browser(documents=web, clients={URL: Client(redirect_uris=(CALLBACK,))})
    assert browser.authorize(client_id=URL).status_code == 200
    assert not web.asked


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/c", "https://169.254.169.254/c", "https://127.1/c", "https://[::ffff:7f00:1]/c"]
)
def test_the_network_of_the_laptop_is_not_asked(browser, url):
    # The issuer as it is by default, with a real network.
    browser = type(browser)(DevelopmentIssuer("http://127.0.0.1:9000"))
    page = browser.authorize(client_id=url)
    assert (page.status_code, "not on the public internet" in page.text) == (400, True), page.text


async def test_few_documents_are_fetched_at_once(make_issuer):
    gate, answered = asyncio.Event(), []

    class Slow:
        async def fetch(self, url):
            await gate.wait()
            return Document(GOOD | {"client_id": url})

    documents = make_issuer(documents=Slow()).client_documents

    async def look_up(number):
        try:
            answered.append(await documents.look_up(f"https://client.example/{number}"))
        except RefusedError as refused:
            answered.append(refused.error)

    tasks = [asyncio.create_task(look_up(number)) for number in range(10)]
    for _ in range(3):
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert answered[:2] == ["temporarily_unavailable"] * 2
    assert all(isinstance(client, Client) for client in answered[2:])
