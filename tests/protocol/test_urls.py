"""Which URLs can be trusted, and which names a host has."""

import pytest

from mcp_oauth2_deps.protocol.urls import (
    host_fields,
    is_loopback_host,
    is_public_address,
    origin_of,
    path_of,
    url_problem,
    without_user,
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_only_this_machine_answers_at_a_loopback_host(host):
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "10.0.0.1", "::", "localhost.example.com", "localhost.", "127.0.0.1.example.com", "127.1"]
)
def test_a_host_that_may_be_elsewhere_is_no_loopback_host(host):
    assert not is_loopback_host(host)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_an_address_of_one_machine_on_the_internet_is_public(address):
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *["127.0.0.1", "10.0.0.1", "100.64.0.1", "169.254.169.254", "192.168.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"],
        *["::1", "::", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "fc00::1", "fec0::1"],
        *["fe80::1%eth0", "ff02::1", "2001:db8::1", "a.example", ""],
    ],
)
def test_an_address_of_this_machine_of_a_network_or_of_a_group_is_not_public(address):
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com/",
        "https://api.example.com:8443/mcp",
        "https://[2001:db8::1]/mcp",
        "https://api.example.com/mcp?tenant=a",
        "HTTPS://API.example.com/%20",
    ],
)
def test_an_https_url_is_fit(url):
    assert url_problem(url, allow_insecure_http=False) is None


@pytest.mark.parametrize("url", ["http://localhost:8000/mcp", "http://127.0.0.1/mcp", "http://[::1]:8000/mcp"])
def test_http_on_a_loopback_host_is_fit_only_where_development_allows_it(url):
    assert url_problem(url, allow_insecure_http=True) is None
    assert "the setting allow_insecure_http=true" in url_problem(url, allow_insecure_http=False)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param(" https://a.example", "white space at an end", id="leading space"),
        pytest.param("https://a.example\n", "white space at an end", id="trailing line feed"),
        pytest.param("https://a.example\u00a0", "white space at an end", id="trailing no-break space"),
        pytest.param("", "another character", id="empty"),
        pytest.param("https://a.example/x y", "another character", id="space inside"),
        pytest.param("https://a.example/\tx", "another character", id="tab inside"),
        pytest.param("https://a.example\\@b.example", "backslash", id="backslash"),
        pytest.param("https://a.example/\x7f", "control", id="control character"),
        pytest.param("https://\u212aelvin.example", "another character", id="not ASCII"),
        pytest.param('https://a.example/"', "another character", id="quote"),
        pytest.param("https://a.example/{tenant}", "another character", id="placeholder"),
        pytest.param("https://a.example:99999", "cannot be read", id="port out of range"),
        pytest.param("https://a.example:port", "cannot be read", id="port no number"),
        pytest.param("https://[::1", "cannot be read", id="unfinished address"),
        pytest.param("a.example/mcp", "no absolute URL", id="no scheme"),
        pytest.param("//a.example/mcp", "no absolute URL", id="scheme missing before slashes"),
        pytest.param("https:///mcp", "no absolute URL", id="no host"),
        pytest.param("https://:443/mcp", "no absolute URL", id="port without host"),
        pytest.param("https://user@a.example", "user name", id="user name"),
        pytest.param("https://user:word@a.example", "user name", id="password"),
        pytest.param("https://@a.example", "user name", id="empty user name"),
        pytest.param("https://a.example/#part", "fragment", id="fragment"),
        pytest.param("https://a.example/?x=1#part", "fragment", id="fragment after a query"),
        pytest.param("https://a.example/#", "fragment", id="empty fragment"),
        pytest.param("ftp://a.example", "must start with https://", id="other scheme"),
        pytest.param("http://a.example", "must use https", id="http elsewhere"),
        pytest.param("http://localhost.a.example", "must use https", id="http on a namesake of localhost"),
        pytest.param("http://127.0.0.1.a.example", "must use https", id="http on a namesake of an address"),
    ],
)
def test_an_unfit_url_is_told_why_even_in_development(url, problem):
    assert problem in url_problem(url, allow_insecure_http=True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:word@a.example/mcp", "...@a.example/mcp"),
        ("https://user:w@rd@a.example/mcp", "...@a.example/mcp"),
        ("https://user:w/rd@a.example/mcp", "...@a.example/mcp"),
        ("user:w\nrd@a.example/mcp", "...@a.example/mcp"),
        ("https://a.example/mcp", "https://a.example/mcp"),
    ],
)
def test_a_url_is_shown_without_a_password_in_it(url, shown):
    assert without_user(url) == shown


@pytest.mark.parametrize("url", ["https://a.example/?x=1", "https://a.example?x", "https://a.example/?"])
def test_a_query_is_unfit_only_where_none_is_allowed(url):
    assert url_problem(url, allow_insecure_http=False) is None
    assert "query" in url_problem(url, allow_insecure_http=False, query_allowed=False)


@pytest.mark.parametrize(
    ("url", "hosts", "origins"),
    [
        ("https://a.example/mcp", {"a.example", "a.example:443"}, {"https://a.example"}),
        ("https://A.example:8443", {"a.example:8443"}, {"https://a.example:8443"}),
        ("https://[2001:db8::1]/", {"[2001:db8::1]", "[2001:db8::1]:443"}, {"https://[2001:db8::1]"}),
        (
            "http://127.0.0.1:8000/mcp",
            {"127.0.0.1:8000", "localhost:8000", "[::1]:8000"},
            {"http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"},
        ),
    ],
)
def test_a_server_answers_under_the_host_and_origin_of_its_url(url, hosts, origins):
    found = host_fields(url)
    assert (set(found[0]), set(found[1])) == (hosts, origins)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.example/mcp", "/mcp"),
        ("https://a.example", "/"),
        ("https://a.example/a%20b/?x=1", "/a b/"),
        ("https://a.example/a%2Fb", "/a/b"),
    ],
)
def test_the_path_of_a_url_is_decoded_as_servers_hand_it_on(url, path):
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("url", "origin"),
    [("https://a.example/mcp?x=1", "https://a.example"), ("http://[::1]:8000", "http://[::1]:8000")],
)
def test_the_origin_of_a_url_is_what_stands_before_its_path(url, origin):
    assert origin_of(url) == origin
