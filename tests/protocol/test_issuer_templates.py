"""What may stand for a tenant in an issuer, and which templates could be taken for one another."""

import doctest

import pytest

from mcp_oauth2_deps.protocol import issuer_templates
from mcp_oauth2_deps.protocol.issuer_templates import IssuerTemplate, is_tenant

IN_PATH = IssuerTemplate("https://login.example.com/{tenant}/v2.0")
IN_HOST = IssuerTemplate("https://{tenant}.example.com/{tenant}/v2.0")

TENANTS = ["acme", "72f988bf-86f1-41af-91ab-2d7cd011db47", "a", "7", "_a-b", "a" * 128]
HOSTILE = [
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a.",
    "a/b",
    "a/../b",
    "a\\b",
    "a?b",
    "a#b",
    "a@b",
    "a:b",
    "a%2fb",
    "a b",
    "a\n",
    "\na",
    "a\x00",
    "é",
    "\u212a",
    "a;b",
    "{tenant}",
    "*",
    "a" * 129,
    "a,b",
]


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("template", [IN_PATH, IN_HOST])
def test_a_tenant_is_found_again_in_its_issuer(template, tenant):
    assert is_tenant(tenant)
    assert template.tenant_of(template.issuer_of(tenant)) == tenant


@pytest.mark.parametrize("tenant", HOSTILE, ids=ascii)
@pytest.mark.parametrize("template", [IN_PATH, IN_HOST])
def test_no_other_text_stands_for_a_tenant(template, tenant):
    assert not is_tenant(tenant)
    assert template.tenant_of(template.issuer_of(tenant)) is None


def test_a_dot_is_possible_in_a_path_and_not_in_a_host():
    assert IN_PATH.tenant_of("https://login.example.com/acme.org/v2.0") == "acme.org"
    assert IN_HOST.tenant_of("https://acme.org.example.com/acme.org/v2.0") is None


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com/acme/v2.0/",
        "https://login.example.com/acme/v2.0?x",
        "https://login.example.com/acme/v1.0",
        "https://LOGIN.example.com/acme/v2.0",
        "http://login.example.com/acme/v2.0",
        "https://loginXexample.com/acme/v2.0",
        "https://login.example.com/acme/v2X0",
        "https://evil.example/https://login.example.com/acme/v2.0",
        "https://login.example.com//v2.0",
        "https://login.example.com/acme/x/v2.0",
        "",
    ],
)
def test_an_issuer_of_another_form_has_no_tenant(issuer):
    assert IN_PATH.tenant_of(issuer) is None


def test_the_tenant_is_the_same_wherever_it_stands():
    assert IN_HOST.tenant_of("https://acme.example.com/globex/v2.0") is None


@pytest.mark.parametrize(
    "text",
    [
        "https://{tenant}",
        "https://{tenant}/realms",
        "https://{tenant}.com",
        "https://{tenant}:8443",
        "https://login.{tenant}",
        "https://x{tenant}.example.com",
        "https://{tenant}{tenant}.example.com",
        "https://{tenant}.{tenant}.com",
        "https://{tenant}@example.com",
    ],
)
def test_a_template_by_which_a_tenant_chooses_the_host_is_refused(text):
    assert "choose the host" in IssuerTemplate(text).problem()


@pytest.mark.parametrize("template", [IN_PATH, IN_HOST])
def test_control_a_template_within_a_host_of_ones_own_is_fit(template):
    assert template.problem() is None


@pytest.mark.parametrize(
    ("one", "another", "overlap"),
    [
        ("https://a.example/{tenant}", "https://a.example/{tenant}", True),
        ("https://a.example/{tenant}", "https://a.example/x-{tenant}", True),
        ("https://a.example/{tenant}/v2", "https://a.example/{tenant}-x/v2", True),
        ("https://a.example/{tenant}", "https://a.example/realms/{tenant}", False),
        ("https://a.example/{tenant}", "https://a.example/{tenant}/v2", False),
        ("https://a.example/{tenant}/v1", "https://a.example/{tenant}/v2", False),
        ("https://a.example/{tenant}", "https://b.example/{tenant}", False),
        ("https://a.example/realms/{tenant}", "https://a.example/{tenant}/acme", True),
        ("https://a.example/realms-{tenant}", "https://a.example/{tenant}-acme", True),
        ("https://{tenant}.a.example/{tenant}", "https://{tenant}.a.example/x", True),
        ("https://{tenant}.a.example/{tenant}", "https://{tenant}.a.example/{tenant}/v2", True),
        ("https://{tenant}.a.example/{tenant}", "https://b.example/{tenant}", False),
        ("https://{tenant}.a.example/{tenant}", "https://{tenant}.b.example/{tenant}", False),
        ("https://{tenant}.a.example/", "https://login.a.example/{tenant}", True),
        ("https://a.example/a-{tenant}", "https://a.example/b-{tenant}", False),
    ],
)
def test_two_templates_overlap_where_one_issuer_could_have_both_forms(one, another, overlap):
    assert IssuerTemplate(one).overlaps(IssuerTemplate(another)) is overlap
    assert IssuerTemplate(another).overlaps(IssuerTemplate(one)) is overlap


def test_a_text_without_a_variable_is_the_one_issuer_that_it_names():
    assert IssuerTemplate("https://a.example").issuer_of("x") == "https://a.example"


def test_the_examples_are_right():
    assert doctest.testmod(issuer_templates).failed == 0
