"""Proxies and certificates of the environment that cannot be used are named, by variable and never by value (OPERATIONS 1)."""

import os
import re
import socket
import threading

import pytest
from raw_issuer import Certificate, raw_issuer

from mcp_oauth2_deps.errors import DocumentError
from mcp_oauth2_deps.stores.documents import HTTPDocuments

SECRET = "s3cret"
NOBODY = "127.0.0.1:1"
URL = f"https://{NOBODY}/keys"
VARIABLES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}
NO_URL = "holds no URL of a proxy that can be used, such as http://proxy.example.com:3128; correct or unset it"
NO_SOCKS = "names a SOCKS proxy, for which the package socksio is missing; install httpx[socks], or unset the variable"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in list(os.environ):
        if name.lower() in VARIABLES:
            monkeypatch.delenv(name)


@pytest.fixture
def failure(monkeypatch):
    """The text of the failure to fetch with these variables set."""

    async def fail(url=URL, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(DocumentError) as caught:
            await HTTPDocuments(timeout=5, allow_insecure_http=True).fetch(url)
        assert caught.value.unreachable
        assert SECRET not in str(caught.value)
        return str(caught.value)

    return fail


async def test_control_without_variables_the_connection_fails(failure):
    assert await failure() == "no connection (ConnectError)"


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (f"socks5://user:{SECRET}@{NOBODY}", NO_SOCKS),
        (f"socks5h://user:{SECRET}@{NOBODY}", NO_SOCKS),
        (f"socks4://user:{SECRET}@{NOBODY}", NO_URL),
        (f"ftp://user:{SECRET}@{NOBODY}", NO_URL),
        (f"http://user:{SECRET}@proxy.example.com:port", NO_URL),
        (f"http://user:{SECRET}@[::1", NO_URL),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_with_what_to_do(failure, name, value, says):
    assert await failure(**{name: value}) == f"the environment variable {name} {says}"


async def test_of_several_the_one_at_fault_is_named(failure):
    text = await failure(HTTPS_PROXY=NOBODY, HTTP_PROXY=f"http://{NOBODY}", ALL_PROXY=f"socks4://{NOBODY}")
    assert text == f"the environment variable ALL_PROXY {NO_URL}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has one variable for both spellings")
async def test_the_spelling_that_counts_is_named(failure):
    text = await failure(HTTPS_PROXY=f"http://{NOBODY}", https_proxy=f"ftp://{NOBODY}")
    assert text == f"the environment variable https_proxy {NO_URL}"


async def test_a_list_of_exceptions_that_cannot_be_read_is_named(failure):
    text = await failure(NO_PROXY="a b c,:::")
    assert text == "the proxy settings of this machine cannot be read; correct or unset NO_PROXY"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"HTTPS_PROXY": f"http://user:{SECRET}@{NOBODY}"}, "HTTPS_PROXY"),
        ({"ALL_PROXY": NOBODY}, "ALL_PROXY"),
        ({"ALL_PROXY": NOBODY, "HTTPS_PROXY": NOBODY}, "HTTPS_PROXY"),
    ],
)
async def test_a_proxy_that_does_not_answer_is_named(failure, variables, name):
    text = await failure("https://issuer.example.com/keys", **variables)
    assert text == f"no connection through the proxy of the environment variable {name} (ConnectError)"


async def test_a_proxy_that_refuses_is_named(failure):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        text = await failure("https://issuer.example.com/keys", HTTPS_PROXY=f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert text == "no connection through the proxy of the environment variable HTTPS_PROXY (ProxyError)"


async def test_a_proxy_that_never_answers_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ALL_PROXY", f"http://user:{SECRET}@127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DocumentError) as caught:
            await HTTPDocuments(timeout=0.2).fetch("https://issuer.example.com/keys")
    assert str(caught.value) == "no complete answer within 0.2 s through the proxy of the environment variable ALL_PROXY"


@pytest.mark.parametrize("variables", [{"NO_PROXY": "127.0.0.1"}, {"NO_PROXY": "*"}])
async def test_a_proxy_that_is_not_on_the_way_is_not_named(failure, variables):
    assert await failure(HTTPS_PROXY="http://proxy.example.com:1", **variables) == "no connection (ConnectError)"


async def test_plain_http_goes_to_loopback_and_through_no_proxy(failure):
    assert await failure(f"http://{NOBODY}/keys", ALL_PROXY="http://proxy.example.com:1") == "no connection (ConnectError)"


@pytest.mark.parametrize("kind", ["absent", "directory", "text"])
async def test_certificates_that_cannot_be_read_are_named(failure, tmp_path, kind):
    path = tmp_path / "certificates.pem"
    if kind == "directory":
        path.mkdir()
    elif kind == "text":
        path.write_text("no certificate", "utf-8")
    text = await failure(SSL_CERT_FILE=str(path), SSL_CERT_DIR=str(tmp_path / "not asked"))
    assert text.startswith("the environment variable SSL_CERT_FILE names no CA certificates that can be read (")
    assert text.endswith("); correct or unset it")


async def test_a_directory_of_certificates_that_is_none_is_named(failure, tmp_path):
    text = await failure(SSL_CERT_DIR=str(tmp_path / "absent"))
    assert text == "the environment variable SSL_CERT_DIR names no directory; correct or unset it"


async def test_an_untrusted_certificate_is_said_to_be_the_cause(failure, monkeypatch, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    theirs, ours = Certificate(tmp_path / "theirs"), Certificate(tmp_path / "ours")
    with raw_issuer(list, theirs) as url:
        text = await failure(url)
        assert re.fullmatch(r"no connection \(its certificate is not trusted: self.signed certificate\)", text)
        text = await failure(url, SSL_CERT_FILE=str(ours.path))
        assert text.endswith("; those that are trusted come from the environment variable SSL_CERT_FILE)")


async def test_a_variable_that_is_empty_is_as_none(failure):
    assert await failure(SSL_CERT_FILE="", SSL_CERT_DIR="", ALL_PROXY="") == "no connection (ConnectError)"
