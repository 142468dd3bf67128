"""Does one line of text name several providers, and does a line that is wrong say where?"""

import pytest

from mcp_oauth2_deps.providers import ProviderError, auth0, cognito, logto
from mcp_oauth2_deps.providers.examples import EXAMPLES
from mcp_oauth2_deps.providers.parsing import policies_of

AUTH0, LOGTO = auth0(domain="acme.eu.auth0.com"), logto(domain="acme.logto.app")


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "auth0 domain=acme.eu.auth0.com": (AUTH0,),
        "auth0 domain=acme.eu.auth0.com;logto domain=acme.logto.app": (AUTH0, LOGTO),
        " auth0  domain='acme.eu.auth0.com' ;\n logto\tdomain=\"acme.logto.app\" ; ": (AUTH0, LOGTO),
        'auth0 "domain=acme.eu.auth0.com"': (AUTH0,),
        "Auth0 domain=ACME.eu.auth0.com": (AUTH0,),
        "cognito region=eu-west-1 pool=eu-west-1_a clients=one,two": (
            cognito(region="eu-west-1", pool="eu-west-1_a", clients=("one", "two")),
        ),
        "logto domain=acme.logto.app audience='urn:a;b#c=d'": (logto(domain="acme.logto.app", audience="urn:a;b#c=d"),),
    }.items(),
)
def test_a_line_names_providers(text, expected):
    assert policies_of(text) == expected


def test_a_hyphen_is_as_good_as_an_underscore():
    assert policies_of(EXAMPLES["better_auth"].replace("_", "-", 1)) == policies_of(EXAMPLES["better_auth"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        "": "names no provider; for example keycloak base=",
        " ; ;": "names no provider; for example keycloak base=",
        "auth00 domain=acme.eu.auth0.com": "names 'auth00', which is no provider; did you mean auth0?",
        "xyzzy": "names 'xyzzy', which is no provider; known are auth0, authentik, ",
        "domain=acme.eu.auth0.com": "names 'domain=acme.eu.auth0.com', which is no provider; known are ",
        "auth0": "gives the provider auth0 no 'domain', which it needs; for example auth0 domain=acme.eu.auth0.com",
        "auth0 acme.eu.auth0.com": "gives the provider auth0 'acme.eu.auth0.com', which has not the form name=value; for example auth0",
        "auth0 domain=": "gives the provider auth0 'domain=', which has not the form name=value; for example auth0 domain=",
        "auth0 =x": "gives the provider auth0 '=x', which has not the form name=value; for example auth0 domain=",
        "auth0 domain=a.b domain=c.d": "gives the provider auth0 'domain' twice, though several values are separated by commas; for",
        "auth0 domain=a.b tenant=c": "gives the provider auth0 'tenant', which is none of its words (domain, audience); for example auth0",
        "auth0 domain='a.b": "has a quote that does not end; for example keycloak base=",
        "auth0 domain=https://a.b/": "the provider auth0 needs a host name alone, without https:// and without a path, as 'domain', which",
        "entra tenant=acme.com app=x": "the provider entra needs a GUID as 'tenant', which is 'acme.com'; for example tenant=72f988bf",
        "auth0 domain=a.b; github": "the provider github cannot work: its access tokens are opaque",
    }.items(),
)
def test_a_line_that_is_wrong_says_where(text, sentence):
    with pytest.raises(ProviderError) as caught:
        policies_of(text)
    assert str(caught.value).startswith(sentence)


def test_an_unknown_word_is_named_without_its_value():
    with pytest.raises(ProviderError) as caught:
        policies_of("auth0 domain=a.b client_secret=hunter2")
    assert ("'client_secret'" in str(caught.value), "hunter2" in str(caught.value)) == (True, False)
