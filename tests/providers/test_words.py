"""Are the words of an operator held to their form, whoever the provider is, and is a wrong one a sentence with an example?"""

import inspect
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_oauth2_deps import OAuth2Settings
from mcp_oauth2_deps.providers import ProviderError, entra, okta, scalekit, stytch
from mcp_oauth2_deps.providers.by_name import PRESETS
from mcp_oauth2_deps.providers.examples import EXAMPLES
from mcp_oauth2_deps.providers.parsing import policies_of

REFUSED = {"google", "github"}
USABLE = sorted(set(PRESETS) - REFUSED)
PARTS = sorted(
    (name, word) for name in USABLE for word in inspect.signature(PRESETS[name]).parameters if word not in {"v", "region"}
)
# None of these has the form of any word. Each would change what a URL means, or what is compared.
NASTY = (
    " ",
    "a b",
    "a\n",
    "a\r\nHost: evil.example",
    "\x00",
    "ä.example.com",
    "a/../b\\c",
    "a#b c",
    'a"b',
    "https://user:secret@auth.example.com ",
    "http://auth.example.com\t",
    "a\u2028b",
)
# What leaves its place in a host or a path.
ESCAPES = (
    "evil.example/",
    "a/b",
    "a?b",
    "a#b",
    "a@evil.example",
    "a:443",
    "..",
    "%2e%2e",
    "{tenant}",
    "*",
    "http://evil.example/x",
)
COMPARED = {"audience", "client", "clients", "uri"}
WHOLE_URLS = {"base", "issuer"}


def words_of(name):
    return dict(part.split("=", 1) for part in EXAMPLES[name].split()[1:])


def policies(name, /, **changes):
    made = PRESETS[name](**(words_of(name) | changes))
    return made if isinstance(made, tuple) else (made,)


def test_every_preset_has_its_example_and_works():
    assert set(EXAMPLES) == set(PRESETS)
    assert len(USABLE) > 20
    for name in USABLE:
        made = policies_of(EXAMPLES[name])
        assert made == policies(name)
        assert {policy.provider for policy in made} == {name}
        for policy in made:
            assert urlsplit(policy.issuer).scheme == "https"
            assert "{" not in policy.issuer


@pytest.mark.parametrize(("name", "word"), PARTS)
def test_a_malformed_word_is_one_sentence_that_names_it(name, word):
    for value in NASTY:
        with pytest.raises(ProviderError) as caught:
            policies(name, **{word: value})
        text = str(caught.value)
        assert text.startswith(f"the provider {name} needs ")
        shown = [part in text for part in (repr(word), f"; for example {word}=", "\n", "secret")]
        assert shown == [True, True, False, False]


@pytest.mark.parametrize(("name", "word"), [part for part in PARTS if part[1] not in COMPARED | WHOLE_URLS])
def test_no_word_leaves_its_place_in_a_url(name, word):
    for value in ESCAPES:
        with pytest.raises(ProviderError, match=f"needs .* as '{word}'"):
            policies(name, **{word: value})


@pytest.mark.parametrize("name", [name for name in USABLE if WHOLE_URLS & set(inspect.signature(PRESETS[name]).parameters)])
@pytest.mark.parametrize("url", ["ftp://a.example", "http://a.example", "https://a.example/?x", "https://a.example/#x", "a", ""])
def test_a_url_is_one_that_may_be_trusted(name, url):
    word = "base" if "base" in words_of(name) else "issuer"
    with pytest.raises(ProviderError, match=f"needs a URL as '{word}'"):
        policies(name, **{word: url})
    assert policies(name, **{word: "http://127.0.0.1:8080"})[0].issuer.startswith("http://127.0.0.1:8080")


@pytest.mark.parametrize(("name", "word"), PARTS)
@pytest.mark.parametrize("value", [1, b"a", object()], ids=["int", "bytes", "object"])
def test_a_word_of_another_type_is_one_sentence_too(name, word, value):
    with pytest.raises(ProviderError, match=f"the provider {name} needs"):
        policies(name, **{word: value})


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "Common"])
def test_everybody_is_no_tenant(tenant):
    with pytest.raises(ProviderError, match="needs the tenants that you trust, by their ids"):
        policies("entra", tenant=tenant)


def test_a_domain_name_is_no_tenant_because_tokens_do_not_hold_it():
    with pytest.raises(ProviderError, match=r"needs a GUID as 'tenant', which is 'acme\.onmicrosoft\.com'"):
        policies("entra", tenant="acme.onmicrosoft.com")


def test_several_tenants_make_a_template():
    app = words_of("entra")["app"]
    tenants = ("72f988bf-86f1-41af-91ab-2d7cd011db47", "9188040D-6c67-4c5b-b112-36a304b66dad")
    for several in (tenants, ",".join(tenants), list(tenants)):
        policy = entra(tenant=several, app=app, v=1)
        assert policy.issuer == "https://sts.windows.net/{tenant}/"
        assert policy.tenants == (tenants[0], tenants[1].lower())
        assert policy.issues_as(f"https://sts.windows.net/{tenants[0]}/")
        assert not policy.issues_as(f"https://login.microsoftonline.com/{tenants[0]}/v2.0")
    with pytest.raises(ProviderError, match="needs a GUID as 'tenant'"):
        entra(tenant=(), app=app)


def test_a_provider_that_cannot_work_says_why_and_what_to_do():
    for name in REFUSED:
        with pytest.raises(ProviderError, match=rf"^the provider {name} cannot work: .* Put an authorization server in front"):
            policies_of(f"{name} client=abc")
    with pytest.raises(
        ProviderError, match=r"cannot work with the org authorization server: .* Make a custom authorization server"
    ):
        okta(org="acme.okta.com", server="org")


def test_an_audience_that_does_not_name_this_server_is_warned_of():
    lines = {
        "keycloak base=https://sso.example.com realm=acme audience=account": "`account`",
        "okta org=acme.okta.com audience=api://default": "api://default",
        "supabase project=abcdefghijklmnop": "any OAuth client",
        "stytch project=project-test-1 domain=login.example.com": "whole Stytch project",
        "descope project=P2abc": "whole Descope project",
        "spring issuer=https://auth.example.com client=inspector": "any access token of this client",
        EXAMPLES["authentik"]: "any access token of this client",
        EXAMPLES["zitadel"]: "whole Zitadel project",
    }
    for line, words in lines.items():
        (policy,) = policies_of(line)
        assert (len(policy.warnings), words in policy.warnings[0]) == (1, True), line
    silent = {"auth0", "entra", "keycloak", "cognito", "clerk", "workos", "logto", "okta", "supabase", "descope", "hydra"}
    assert [name for name in sorted(silent) if any(policy.warnings for policy in policies_of(EXAMPLES[name]))] == []


def test_without_a_domain_of_its_own_stytch_has_an_issuer_that_is_no_url():
    policy = stytch(project="project-test-1")
    assert (policy.issuer, policy.jwks_uri) == (
        "stytch.com/project-test-1",
        "https://test.stytch.com/v1/sessions/jwks/project-test-1",
    )
    assert len(policy.warnings) == 2
    assert stytch(project="project-live-1").jwks_uri == "https://api.stytch.com/v1/sessions/jwks/project-live-1"


# Where clients are sent to log in, where that is not the issuer of their tokens.
LOGINS = {
    EXAMPLES["scalekit"]: ["https://acme.scalekit.com/resources/res_123456789"],
    EXAMPLES["entra"]: [f"https://login.microsoftonline.com/{words_of('entra')['tenant']}/v2.0"],
    f"{EXAMPLES['entra']} v=1": [f"https://login.microsoftonline.com/{words_of('entra')['tenant']}/v2.0"],
    "stytch project=project-test-1": [],
}


@pytest.mark.parametrize("line", LOGINS)
def test_clients_log_in_where_they_find_the_way(line):
    settings = OAuth2Settings(provider=line, resource="https://api.example.com/mcp")
    assert list(settings.authorization_servers) == LOGINS[line]


def test_scalekit_has_two_issuers():
    assert len(scalekit(environment="acme.scalekit.com", resource="res_1")) == 2


@given(
    part=st.sampled_from([part for part in PARTS if part[1] not in COMPARED | WHOLE_URLS]),
    value=st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9._~%/?#@:{}-]{0,20}", fullmatch=True),
)
def test_whatever_is_accepted_has_only_characters_that_stay_in_their_place(part, value):
    name, word = part
    try:
        made = policies(name, **{word: value})
    except ProviderError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._~,-]*", value, re.ASCII)
    for policy in made:
        assert not {"..", "."} & set(policy.issuer.split("/"))


@given(
    text=st.text(max_size=60) | st.from_regex(r"(auth0|entra|okta|zitadel)( [a-z]{1,8}=['\";a-z.\n]{0,9}){0,3}", fullmatch=True)
)
def test_a_line_of_any_text_is_a_policy_or_a_sentence(text):
    try:
        said = policies_of(text)
    except ProviderError as error:
        said = str(error)
    assert 0 < len(said) < 700


# The issuers that providers themselves published, by the line that makes them.
RECORDED = {
    "auth0-metadata": "auth0 domain=common.auth0.com",
    "azure-v1-metadata": "entra v=1 tenant={0} app={1}",
    "azure-v2-metadata": "entra tenant={0} app={1}",
    "cognito-metadata": "cognito region=eu-west-1 pool=eu-west-1_ZLiEFD4b6",
    "keycloak-metadata": "keycloak base=http://localhost:8080 realm=master",
    "okta-default-metadata": "okta org=dev-265911.oktapreview.com",
}


@pytest.mark.parametrize("document", RECORDED)
def test_the_issuer_is_what_the_provider_itself_published(document):
    recorded = json.loads((Path(__file__).parent / "recorded" / f"{document}.json").read_text("utf-8"))
    tenant = words_of("entra")["tenant"]
    (policy,) = policies_of(RECORDED[document].format(tenant, words_of("entra")["app"]))
    assert policy.issuer == recorded["issuer"].replace("{tenantid}", tenant)
    assert set(recorded["id_token_signing_alg_values_supported"]) & set(policy.algorithms or ("RS256",))
