"""What settings are read from, and how a wrong one is explained."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from mcp_oauth2_deps import IssuerPolicy, OAuth2Settings

ASKING = {"introspection": "opaque", "client_id": "c", "client_secret": "hunter2"}
GOOD = {"issuer": "https://auth.example.com", "resource": "https://api.example.com/mcp"}


@pytest.mark.parametrize(
    ("wrong", "variable", "says"),
    [
        ({"issuer": None}, "ISSUER", "is missing"),
        ({"issuer": ""}, "ISSUER", "is empty"),
        ({"resource": None}, "RESOURCE", "is missing"),
        ({"issuer": "http://auth.example.com"}, "ISSUER", "must use https"),
        ({"issuer": "http://localhost:9000"}, "ISSUER", "use allow_insecure_http=true"),
        ({"issuer": "https://auth.example.com "}, "ISSUER", "white space"),
        ({"issuer": "https://a.example, https://b.example"}, "ISSUER", "white space"),
        ({"issuer": "https://a.example,https://a.example"}, "ISSUER", "twice"),
        ({"issuer": "https://auth.example.com?x=1"}, "ISSUER", "query"),
        ({"issuer": "auth.example.com"}, "ISSUER", "absolute URL"),
        ({"resource": "https://api.example.com/mcp#x"}, "RESOURCE", "fragment"),
        ({"audience": "https://api.example.com ,b"}, "AUDIENCE", "white space"),
        ({"algorithms": "HS256"}, "ALGORITHMS", "refused"),
        ({"algorithms": "none"}, "ALGORITHMS", "refused"),
        ({"algorithms": "RS257"}, "ALGORITHMS", "not supported"),
        ({"algorithms": ()}, "ALGORITHMS", "not supported"),
        ({"jwks_cache_ttl": -1}, "JWKS_CACHE_TTL", "greater than 0"),
        ({"jwks_cache_ttl": "nan"}, "JWKS_CACHE_TTL", "finite"),
        ({"jwks_refresh_after": 3600}, "JWKS_REFRESH_AFTER", "must be below"),
        ({"leeway": 301}, "LEEWAY", "less than or equal to 300"),
        ({"http_timeout": 0}, "HTTP_TIMEOUT", "greater than 0"),
        ({"token_cache_size": -1}, "TOKEN_CACHE_SIZE", "greater than or equal to 0"),
        ({"scopes": '{"a": "b"'}, "SCOPES", "not valid JSON"),
        ({"scopes": '{"a": "b", "a": "c"}'}, "SCOPES", "it names 'a' twice"),
        ({"scopes": {"a b": ""}}, "SCOPES", "is no scope"),
        ({"scope_hierarchy": {"a": ["b"], "b": ["a"]}}, "SCOPE_HIERARCHY", "a -> b -> a"),
        ({"scope_hierarchy": {str(n): [str(n + 1)] for n in range(3000)}}, "SCOPE_HIERARCHY", "too long"),
        ({"scope_hierarchy": {"a": ["b c"]}}, "SCOPE_HIERARCHY", "is no scope"),
        ({"scope_claims": ","}, "SCOPE_CLAIMS", "no claim"),
        (
            {"issuer": "https://a.example,https://b.example", "jwks_uri": "https://a.example/jwks"},
            "JWKS_URI",
            "single issuer",
        ),
        ({"metadata_url": "https://a.example"}, "METADATA_URL", "has no path"),
        ({"resource_name": " Files"}, "RESOURCE_NAME", "white space at an end"),
        ({"resource_name": "Files\nof Acme"}, "RESOURCE_NAME", "is empty or has"),
        ({"resource_documentation": "http://docs.example"}, "RESOURCE_DOCUMENTATION", "must use https"),
        ({"resource_documentation": "javascript:alert(1)"}, "RESOURCE_DOCUMENTATION", "is no absolute URL"),
        ({"fail_fast": "perhaps"}, "FAIL_FAST", "boolean"),
        ({"isuer": "https://auth.example.com"}, "ISUER", "did you mean issuer?"),
        ({"env_file": ".env"}, "ENV_FILE", "is no setting"),
        (
            {"introspection": "yes"},
            "INTROSPECTION",
            "Input should be 'off', 'opaque' or 'always', for example introspection='opaque'",
        ),
        ({"introspection": "opaque", "client_secret": "s"}, "CLIENT_ID", "is missing"),
        ({"introspection": "opaque", "client_id": "c"}, "CLIENT_SECRET", "is needed"),
        ({**ASKING, "client_key_file": "key.pem"}, "CLIENT_SECRET", "not both"),
        (
            {"introspection": "always", "client_id": "c", "client_key_file": "/none"},
            "CLIENT_KEY_FILE",
            "cannot be read (FileNotFoundError)",
        ),
        ({"introspection": "always", "client_id": "c", "client_key_file": __file__}, "CLIENT_KEY_FILE", "neither a PEM file"),
        ({**ASKING, "issuer": "https://a.example,https://b.example"}, "INTROSPECTION", "single issuer"),
        ({**ASKING, "introspection_url": "http://a.example"}, "INTROSPECTION_URL", "must use https"),
        ({**ASKING, "introspection_ttl": -1}, "INTROSPECTION_TTL", "greater than or equal to 0"),
        ({"introspection_url": "https://a.example"}, "INTROSPECTION_URL", "introspection, which is off"),
        ({"colour": "red"}, "COLOUR", "is no setting"),
    ],
)
def test_a_wrong_setting_is_named_and_explained(wrong, variable, says):
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings(**(GOOD | wrong))
    assert re.search(rf"^(MCP_OAUTH2_{variable}|{variable.lower()})\n  .*{re.escape(says)}", str(caught.value), re.MULTILINE)


@pytest.mark.parametrize(
    ("wrong", "in_code", "in_environment"),
    [
        (
            {"resource": None},
            ("resource", "resource='https://api.example.com/mcp'"),
            ("MCP_OAUTH2_RESOURCE", "MCP_OAUTH2_RESOURCE=https://api"),
        ),
        ({"lee_way": "3"}, ("lee_way", "did you mean leeway?"), ("MCP_OAUTH2_LEE_WAY", "did you mean MCP_OAUTH2_LEEWAY?")),
        ({"leeway": "-1"}, ("leeway", "greater than"), ("MCP_OAUTH2_LEEWAY", "greater than")),
    ],
)
def test_a_message_spells_a_setting_as_its_reader_wrote_it(monkeypatch, wrong, in_code, in_environment):
    values = {name: value for name, value in (GOOD | wrong).items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings(**values)
    assert re.search(rf"^{in_code[0]}\n  .*{re.escape(in_code[1])}", str(caught.value), re.MULTILINE)
    assert "MCP_OAUTH2_" not in str(caught.value)
    for name, value in values.items():
        monkeypatch.setenv("MCP_OAUTH2_" + name.upper(), value)
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings()
    assert re.search(rf"^{in_environment[0]}\n  .*{re.escape(in_environment[1])}", str(caught.value), re.MULTILINE)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@a.example", "http://me:hunter2@a.example", "me:hunter2@a.example", "x\nhunter2@a"]
)
@pytest.mark.parametrize("name", ["issuer", "resource", "jwks_uri", "token_url"])
def test_a_password_in_a_url_is_not_repeated_in_the_message(name, url):
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings(**{**GOOD, name: url})
    assert "'...@a" in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.errors()}"


def test_settings_come_from_the_environment_and_identifiers_stay_verbatim(monkeypatch):
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", "https://A.example.com/x/,https://b.example.com")
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", "https://api.example.com")
    monkeypatch.setenv("MCP_OAUTH2_ALGORITHMS", "RS256, ES256")
    monkeypatch.setenv("MCP_OAUTH2_LEEWAY", "")
    settings = OAuth2Settings()
    assert settings.issuer == ("https://A.example.com/x/", "https://b.example.com")
    assert settings.resource == "https://api.example.com"
    assert settings.algorithms == ("RS256", "ES256")
    assert settings.leeway == 30
    assert settings.soft_age == 600


def test_an_unknown_variable_with_our_prefix_stops_the_start(monkeypatch):
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", GOOD["issuer"])
    monkeypatch.setenv("MCP_OAUTH2_STRICT_ATJWT", "true")
    with pytest.raises(ValidationError, match="did you mean MCP_OAUTH2_STRICT_AT_JWT"):
        OAuth2Settings(resource=GOOD["resource"])


def test_a_dotenv_file_is_read_only_on_request(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("MCP_OAUTH2_ISSUER=https://file.example.com\nFOREIGN=1\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError, match="MCP_OAUTH2_ISSUER"):
        OAuth2Settings(resource=GOOD["resource"])
    assert OAuth2Settings(resource=GOOD["resource"], _env_file=".env").issuer == ("https://file.example.com",)
    monkeypatch.setenv("MCP_OAUTH2_ENV_FILE", ".env")
    assert OAuth2Settings(resource=GOOD["resource"]).issuer == ("https://file.example.com",)


def test_a_dotenv_file_that_is_missing_or_misspells_a_variable_is_an_error(tmp_path):
    with pytest.raises(ValidationError, match="is no file"):
        OAuth2Settings(**GOOD, _env_file=tmp_path / "absent")
    (tmp_path / "env").write_text("MCP_OAUTH2_STRICT=1\n", "utf-8")
    with pytest.raises(ValidationError, match="MCP_OAUTH2_STRICT"):
        OAuth2Settings(**GOOD, _env_file=tmp_path / "env")


def test_the_example_file_lists_every_setting_and_is_valid(tmp_path):
    text = (Path(__file__).parent.parent / ".env.example").read_text("utf-8")
    listed = re.findall(r"^#?MCP_OAUTH2_(\w+)=", text, re.MULTILINE)
    assert sorted(name.lower() for name in listed) == sorted(OAuth2Settings.model_fields)
    (tmp_path / "env").write_text(re.sub(r"^#(MCP_OAUTH2_)", r"\1", text, flags=re.MULTILINE), "utf-8")
    shown = OAuth2Settings(_env_file=tmp_path / "env")
    # A number or a switch is shown with its default; what has none in the code is an example.
    for name, field in OAuth2Settings.model_fields.items():
        if isinstance(field.default, bool | int | float):
            assert getattr(shown, name) == field.default, name


# For every field a value that differs from its default, as the environment would say it.
ELSEWHERE = {
    "allow_insecure_http": "true",
    "issuer": "https://elsewhere.example",
    # Possible only in place of `issuer` and of what describes its issuers.
    "issuers": "",
    "provider": "",
    "resource": "https://elsewhere.example/mcp",
    "audience": "elsewhere",
    "jwks_uri": "https://elsewhere.example/keys",
    "algorithms": "RS256",
    "scopes": '{"elsewhere": "x"}',
    "scope_hierarchy": '{"elsewhere": ["a"]}',
    "scope_claims": "elsewhere",
    "leeway": "299",
    "strict_at_jwt": "true",
    "scope_prefix": "elsewhere:",
    "clients": "",
    "client_claims": "elsewhere",
    "jwks_refresh_after": "299",
    "jwks_cache_ttl": "9999",
    "jwks_refresh_cooldown": "9",
    "http_timeout": "9",
    "token_cache_size": "9",
    "introspection": "opaque",
    "introspection_ttl": "9",
    "introspection_url": "https://elsewhere.example/introspect",
    "client_id": "elsewhere",
    "client_secret": "elsewhere",
    "authorization_url": "https://elsewhere.example/authorize",
    "token_url": "https://elsewhere.example/token",
    "swagger_client_id": "elsewhere",
    "metadata_url": "https://elsewhere.example/metadata",
    "resource_name": "Elsewhere",
    "resource_documentation": "https://elsewhere.example/docs",
    "cors_origins": "https://elsewhere.example",
    "allowed_hosts": "elsewhere.example",
    "max_body_size": "999",
    "fail_fast": "false",
}


@pytest.fixture
def environment_of_another(monkeypatch):
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv("MCP_OAUTH2_" + name.upper(), value)


def test_the_rows_name_every_setting(environment_of_another):
    # A client has a secret or a key.
    assert ELSEWHERE.keys() == OAuth2Settings.model_fields.keys() - {"client_key_file"}
    there = OAuth2Settings()
    defaults = OAuth2Settings.model_construct(issuer=(), resource="").model_dump()
    for name, value in ELSEWHERE.items():
        assert value == "" or getattr(there, name) != defaults[name], name


@pytest.mark.parametrize(
    "make", [lambda values: OAuth2Settings(**values), OAuth2Settings.model_validate], ids=["call", "validate"]
)
def test_who_names_the_issuer_in_code_reads_nothing_from_the_environment(environment_of_another, monkeypatch, tmp_path, make):
    (tmp_path / "env").write_text("MCP_OAUTH2_AUDIENCE=of-a-file\n", "utf-8")
    monkeypatch.setenv("MCP_OAUTH2_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.setenv("MCP_OAUTH2_MISSPELT", "1")
    settings = make(GOOD)
    for name in ELSEWHERE:
        monkeypatch.delenv("MCP_OAUTH2_" + name.upper())
    monkeypatch.delenv("MCP_OAUTH2_ENV_FILE")
    assert settings == OAuth2Settings(**GOOD)
    assert settings.issuer == (GOOD["issuer"],)
    assert (settings.audience, settings.jwks_uri) == ((), None)


def test_without_an_issuer_in_code_the_environment_is_read_and_arguments_win(environment_of_another):
    settings = OAuth2Settings(audience="mine", issuer=None)
    assert settings.issuer == ("https://elsewhere.example",)
    assert settings.jwks_uri == "https://elsewhere.example/keys"
    assert settings.audience == ("mine",)


@pytest.mark.parametrize("nothing", ["", (), []], ids=repr)
def test_an_issuer_in_code_that_is_empty_is_an_error_and_not_that_of_the_environment(environment_of_another, nothing):
    with pytest.raises(ValidationError, match="is empty"):
        OAuth2Settings(issuer=nothing, resource=GOOD["resource"])


@pytest.mark.parametrize("line", ["", f"MCP_OAUTH2_ISSUER={GOOD['issuer']}\n", "MCP_OAUTH2_ISSUER=\n"], ids=repr)
def test_a_file_that_code_names_beside_the_issuer_is_read_and_the_environment_is_not(environment_of_another, tmp_path, line):
    (tmp_path / "env").write_text(line + "MCP_OAUTH2_AUDIENCE=of-the-file\n", "utf-8")
    settings = OAuth2Settings(**GOOD, _env_file=tmp_path / "env")
    assert settings.issuer == (GOOD["issuer"],)
    assert settings.audience == ("of-the-file",)
    assert settings.jwks_uri is None


@pytest.mark.parametrize("by", ["code", "environment", "environment, file of code"])
def test_a_file_for_one_issuer_is_not_used_for_another(monkeypatch, tmp_path, by):
    file = tmp_path / "env"
    file.write_text("mcp_oauth2_issuer=https://me:hunter2@file.example\nMCP_OAUTH2_JWKS_URI=https://file.example/keys\n", "utf-8")
    if by == "environment":
        monkeypatch.setenv("MCP_OAUTH2_ENV_FILE", str(file))
    if by != "code":
        monkeypatch.setenv("MCP_OAUTH2_ISSUER", GOOD["issuer"])
    arguments = GOOD if by == "code" else {"resource": GOOD["resource"]}
    with pytest.raises(ValidationError, match=r"is .https://auth\.example\.com., but the file is for .\.\.\.@file\.example.: "):
        OAuth2Settings(**arguments, _env_file=None if by == "environment" else file)
    file.write_text(f"MCP_OAUTH2_ISSUER={GOOD['issuer']}\n", "utf-8")
    assert OAuth2Settings(**arguments, _env_file=None if by == "environment" else file).issuer == (GOOD["issuer"],)


@pytest.mark.parametrize("order", [1, -1], ids=["declared last", "declared first"])
def test_whether_http_is_allowed_counts_for_every_url_in_whatever_order_arguments_stand(order):
    urls = {name: f"http://localhost/{name}" for name in ("issuer", "resource", "jwks_uri", "token_url", "metadata_url")}
    values = dict([*urls.items(), ("allow_insecure_http", True)][::order])
    assert OAuth2Settings(**values).jwks_uri == "http://localhost/jwks_uri"
    for name, url in urls.items():
        with pytest.raises(ValidationError) as caught:
            OAuth2Settings(**{**GOOD, name: url})
        assert "use allow_insecure_http=true" in str(caught.value)


def test_who_sets_variables_is_told_of_variables(monkeypatch):
    monkeypatch.setenv("MCP_OAUTH2_ISSUER", "http://localhost:9000")
    monkeypatch.setenv("MCP_OAUTH2_RESOURCE", "https://api.example.com/mcp")
    with pytest.raises(ValidationError, match="use MCP_OAUTH2_ALLOW_INSECURE_HTTP=true"):
        OAuth2Settings()


def test_a_flag_that_is_no_answer_is_the_only_thing_said():
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings(**GOOD, jwks_uri="http://localhost/keys", allow_insecure_http="perhaps")
    assert [error["loc"] for error in caught.value.errors()] == [("allow_insecure_http",)]


POLICY = {"issuer": "https://auth.example.com"}
AUTH0, COGNITO = "auth0 domain=acme.eu.auth0.com", "cognito region=eu-west-1 pool=eu-west-1_a clients=c"
TWO = f"{AUTH0}; {COGNITO}"
TENANTS = {"issuer": "https://sso.example.com/realms/{tenant}", "tenants": ["acme", "globex"]}
TENANTS |= {"authorization_server": "https://sso.example.com/realms/login"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"audiance": "x"}, r"\[0\]: 'audiance' is no member here; did you mean 'audience'\?"),
        ({"issuer": None}, r"\[0\]\.issuer: Input should be a valid string"),
        ({"issuer": "http://auth.example.com"}, r"\[0\]: .* must use https"),
        ({"issuer": "http://localhost:9000"}, r"\[0\]\.issuer: .*MCP_OAUTH2_ALLOW_INSECURE_HTTP=true"),
        ({"issuer": "https://me:hunter2@auth.example.com"}, r"\[0\]: '\.\.\.@auth.*user name"),
        ({"issuer": "me:hunter2@auth", "jwks_uri": "https://a.example/keys"}, r"\[0\]: '\.\.\.@auth' is no absolute URL"),
        ({"issuer": ""}, r"\[0\]: '' holds white space"),
        ({"issuer": "project-1"}, r"\[0\]: the issuer 'project-1' is no URL.* \"jwks_uri\": \"https://auth"),
        ({"issuer": "https://auth.example.com?x", "jwks_uri": "https://a.example/keys"}, r"\[0\]: .*query"),
        ({"jwks_uri": "http://a.example/keys"}, r"\[0\]\.jwks_uri: .*must use https"),
        ({"jwks_uri": "http://localhost/keys"}, r"\[0\]\.jwks_uri: .*MCP_OAUTH2_ALLOW_INSECURE_HTTP=true"),
        ({"authorization_server": "http://localhost/"}, r"\[0\]\.authorization_server: .*MCP_OAUTH2_ALLOW_INSECURE_HTTP=true"),
        ({"audience": ["a "]}, r"\[0\]\.audience: 'a ' is empty or has white space"),
        ({"audience": 7}, r"\[0\]\.audience: Input should be a valid tuple"),
        ({"algorithms": ["HS256"]}, r"\[0\]\.algorithms: 'HS256' is refused"),
        ({"client_claims": []}, r"\[0\]\.client_claims: names no claim"),
        ({"scope_claims": [""]}, r"\[0\]\.scope_claims: names no claim"),
        ({"scope_prefix": "a b"}, r"\[0\]\.scope_prefix: 'a b' can stand in front of no scope"),
        ({"scope_sources": [{"claim": "https://x.example/roles"}]}, r"\[0\]\.scope_sources\[0\]: .*write it as a list of one"),
        ({"scope_sources": [{"claim": "realm_access..roles"}]}, r"\[0\]\.scope_sources\[0\]: .*an empty member"),
        ({"scope_sources": [{"claim": []}]}, r"\[0\]\.scope_sources\[0\]: .*names no claim"),
        ({"scope_sources": [{"claim": "roles", "prefx": ""}]}, r"\[0\]\.scope_sources\[0\]: 'prefx' .*did you mean 'prefix'"),
        ({"token_type": "jwt"}, r"\[0\]\.token_type: Input should be 'any', 'at\+jwt' or 'rfc9068'"),
        ({"required_claims": {"at_hash": None}}, r"\[0\]\.required_claims: no access token has the claim 'at_hash'"),
        ({"required_claims": {"token_use": "id"}}, r"\[0\]\.required_claims: no access token has the claim 'token_use'"),
        ({"required_claims": {"org": []}}, r"\[0\]\.required_claims: no access token has the claim 'org'"),
        ({"access_token_marks": ["sub", "email"]}, r"\[0\]\.access_token_marks: ID tokens may have sub and email too"),
        (TENANTS | {"tenants": []}, r"\[0\]: \{tenant\} in 'issuer' needs either 'tenants' or 'tenant_check', for example"),
        ({"tenants": ["acme"]}, r"\[0\]: 'tenants', 'tenant_check' and \{tenant\} in 'jwks_uri' need \{tenant\} in 'issuer'"),
        ({"jwks_uri": "https://a.example/{tenant}"}, r"\[0\]: .* need \{tenant\} in 'issuer'"),
        (TENANTS | {"tenants": ["a/b"]}, r"\[0\]: 'tenants' has 'a/b', which cannot stand in the issuer"),
        (TENANTS | {"tenants": [".."]}, r"\[0\]: 'tenants' has '\.\.', which cannot stand in the issuer"),
        (TENANTS | {"tenants": ["acme", "acme"]}, r"\[0\]: 'tenants' names one twice"),
        (TENANTS | {"authorization_server": None}, r"\[0\]: 'authorization_server' is missing: .*organizations"),
        (TENANTS | {"tenant_check": "is_customer"}, r"\[0\]\.tenant_check: Input should be callable"),
        (TENANTS | {"issuer": "https://{tenant}/v2"}, r"\[0\]: the issuer .* lets a tenant choose the host"),
        (TENANTS | {"issuer": "http://a.example/{tenant}"}, r"\[0\]: .*must use https"),
        (TENANTS | {"issuer": "http://localhost/{tenant}"}, r"\[0\]\.issuer: .*MCP_OAUTH2_ALLOW_INSECURE_HTTP=true"),
        (TENANTS | {"issuer": "https://a.example/{tenant}/{realm}"}, r"\[0\]: .*no URL has"),
        (TENANTS | {"authorization_server": "https://a.example/{tenant}"}, r"\[0\]\.authorization_server: .*no URL has"),
        ({"clients": ["c"], "token_type": "rfc9068"}, r"\[0\]: 'clients' names clients whose tokens have no 'aud'"),
        ({"clients": ["c"], "required_claims": {"aud": None}}, r"\[0\]: 'clients' names clients whose tokens have no 'aud'"),
    ],
)
def test_a_wrong_member_of_a_policy_is_named_with_its_place(monkeypatch, wrong, says):
    policy = {name: value for name, value in (POLICY | wrong).items() if value is not None or name != "audience"}
    monkeypatch.setenv("MCP_OAUTH2_ISSUERS", json.dumps([policy]))
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings(resource=GOOD["resource"])
    assert re.search(rf"^MCP_OAUTH2_ISSUERS\n  {says}.*, for example MCP_OAUTH2_ISSUERS=\[", str(caught.value), re.MULTILINE)
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.errors()}"
    monkeypatch.setenv("MCP_OAUTH2_ISSUERS", json.dumps([POLICY]))
    assert OAuth2Settings(resource=GOOD["resource"]).authorization_servers == (POLICY["issuer"],)


@pytest.mark.parametrize(
    ("wrong", "name", "says"),
    [
        ({"issuers": [POLICY, POLICY]}, "issuers", "names the issuer 'https://auth.example.com' twice"),
        ({"issuers": [POLICY], "issuer": POLICY["issuer"]}, "issuer", "is set together with {issuers}"),
        ({"provider": AUTH0, "issuer": POLICY["issuer"]}, "issuer", "is set together with {provider}"),
        ({"provider": AUTH0, "issuers": [POLICY]}, "issuers", "is set together with {provider}"),
        ({"provider": f"{AUTH0};{AUTH0}"}, "provider", "names the issuer 'https://acme.eu.auth0.com/' twice"),
        ({"provider": TWO, "audience": "a"}, "audience", "would count for each of the providers in {provider}"),
        ({"provider": TWO, "algorithms": "RS256"}, "algorithms", "would count for each of the providers in {provider}"),
        (
            {"provider": f"{AUTH0}; auth0 domain=b.example.com", "jwks_uri": "https://a.example/keys"},
            "jwks_uri",
            "a single issuer",
        ),
        ({"provider": COGNITO, "strict_at_jwt": True}, "strict_at_jwt", "does not fit the preset: 'clients' names clients whose"),
        ({"provider": "auth0 domain=https://acme.eu.auth0.com"}, "provider", "the provider auth0 needs a host name alone"),
        (
            {"provider": "keycloak base=http://localhost:8080 realm=a"},
            "provider",
            "[0].issuer: 'http://localhost:8080/realms/a' uses http",
        ),
        ({"issuers": [POLICY], "jwks_uri": "https://a.example/keys"}, "jwks_uri", "stands in each policy, as 'jwks_uri'"),
        ({"issuers": [POLICY], "strict_at_jwt": True}, "strict_at_jwt", "stands in each policy, as 'token_type'"),
        ({"issuers": [POLICY], "clients": "c"}, "clients", "stands in each policy, as 'clients'"),
        ({"issuers": [POLICY], "client_claims": "c"}, "client_claims", "stands in each policy, as 'client_claims'"),
        ({"issuers": [POLICY], "scope_claims": "c"}, "scope_claims", "stands in each policy, as 'scope_claims'"),
        ({"issuers": [POLICY], "scope_prefix": "c"}, "scope_prefix", "stands in each policy, as 'scope_prefix'"),
        ({"issuers": [TENANTS, TENANTS]}, "issuers", "names the issuer 'https://sso.example.com/realms/{{tenant}}' twice"),
        ({"issuers": [TENANTS, {"issuer": "https://sso.example.com/realms/x"}]}, "issuers", "could both be; one policy says"),
        ({"issuers": [TENANTS, TENANTS | {"issuer": "https://sso.example.com/{tenant}/acme"}]}, "issuers", "could both be"),
        ({"issuers": "{"}, "issuers", "is not valid JSON"),
        (
            {"issuers": '[{"issuer": "https://a.example", "audience": "a", "audience": "b"}]'},
            "issuers",
            "it names 'audience' twice",
        ),
        ({"issuers": []}, "issuer", "is missing"),
        ({"issuer": POLICY["issuer"], "clients": "c", "strict_at_jwt": True}, "clients", "which {strict_at_jwt} demands"),
        ({"issuer": POLICY["issuer"], "clients": "c "}, "clients", "white space"),
        ({"issuer": POLICY["issuer"], "client_claims": ","}, "client_claims", "no claim"),
        ({"issuer": POLICY["issuer"], "scope_prefix": "a b"}, "scope_prefix", "in front of no scope"),
    ],
)
@pytest.mark.parametrize("in_code", [True, False], ids=["code", "environment"])
def test_policies_that_contradict_other_settings_stop_the_start(monkeypatch, in_code, wrong, name, says):
    if not in_code:
        for setting, value in wrong.items():
            text = value if isinstance(value, str) else json.dumps(value)
            monkeypatch.setenv("MCP_OAUTH2_" + setting.upper(), text)
    with pytest.raises(ValidationError) as caught:
        OAuth2Settings(resource=GOOD["resource"], **(wrong if in_code else {}))

    def spelled(setting):
        return setting if in_code else "MCP_OAUTH2_" + setting.upper()

    says = says.format(**{setting: spelled(setting) for setting in ("issuers", "provider", "strict_at_jwt")})
    assert re.search(rf"^{spelled(name)}\n  .*{re.escape(says)}", str(caught.value), re.MULTILINE)
    assert ("MCP_OAUTH2_" in str(caught.value)) is not in_code


def test_policies_named_in_code_keep_the_environment_out(environment_of_another):
    settings = OAuth2Settings(issuers=[IssuerPolicy(issuer=GOOD["issuer"])], resource=GOOD["resource"])
    (policy,) = settings.policies
    assert (policy.issuer, policy.audience, policy.jwks_uri) == (GOOD["issuer"], (GOOD["resource"],), None)


@pytest.mark.parametrize("named", ["issuer", "issuers", "provider"])
def test_a_file_for_one_issuer_is_not_used_for_the_policies_of_another(tmp_path, named):
    value = {
        "issuer": "https://file.example",
        "issuers": json.dumps([{"issuer": "https://file.example"}]),
        "provider": "workos domain=file.example",
    }[named]
    (tmp_path / "env").write_text(f"MCP_OAUTH2_{named.upper()}={value}\nMCP_OAUTH2_AUDIENCE=of-the-file\n", "utf-8")
    with pytest.raises(ValidationError, match=r"but the file is for 'https://file\.example'"):
        OAuth2Settings(issuers=[IssuerPolicy(issuer=GOOD["issuer"])], resource=GOOD["resource"], _env_file=tmp_path / "env")


def test_the_plain_settings_and_the_policies_say_the_same():
    plain = OAuth2Settings(
        **GOOD,
        audience="a",
        algorithms="ES256",
        jwks_uri="https://a.example/keys",
        clients="c",
        client_claims="cid",
        scope_claims="scp",
        scope_prefix="api://x/",
    )
    policy = IssuerPolicy(
        issuer=GOOD["issuer"],
        jwks_uri="https://a.example/keys",
        clients="c",
        client_claims="cid",
        scope_claims="scp",
        scope_prefix="api://x/",
    )
    other = IssuerPolicy(issuer="project-1", audience="b", algorithms="RS256", jwks_uri="https://b.example/keys")
    named = OAuth2Settings(issuers=[policy, other], resource=GOOD["resource"], audience="a", algorithms="ES256")
    assert named.policies == (*plain.policies, other)
    assert named.authorization_servers == plain.authorization_servers == (GOOD["issuer"],)
    assert [policy.token_type for policy in OAuth2Settings(**GOOD, strict_at_jwt=True).policies] == ["rfc9068"]


def test_a_provider_named_in_code_keeps_the_environment_out(environment_of_another):
    settings = OAuth2Settings(provider=AUTH0, resource=GOOD["resource"])
    (policy,) = settings.policies
    assert (policy.issuer, policy.audience, policy.jwks_uri) == ("https://acme.eu.auth0.com/", (GOOD["resource"],), None)
    assert (policy.algorithms, settings.authorization_servers) == (("RS256", "PS256"), ("https://acme.eu.auth0.com/",))


def test_a_provider_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("MCP_OAUTH2_PROVIDER", TWO)
    settings = OAuth2Settings(resource=GOOD["resource"])
    assert [policy.provider for policy in settings.policies] == ["auth0", "cognito"]
    # What one provider is trusted for counts for no other.
    assert [policy.clients for policy in settings.policies] == [(), ("c",)]


@pytest.mark.parametrize(
    ("explicit", "member", "value"),
    [
        ({"audience": "a,b"}, "audience", ("a", "b")),
        ({"algorithms": "ES256"}, "algorithms", ("ES256",)),
        ({"jwks_uri": "https://a.example/keys"}, "jwks_uri", "https://a.example/keys"),
        ({"clients": "c"}, "clients", ("c",)),
        ({"client_claims": "cid"}, "client_claims", ("cid",)),
        ({"scope_claims": "scp"}, "scope_claims", ("scp",)),
        ({"scope_prefix": "api://x/"}, "scope_prefix", "api://x/"),
        ({"strict_at_jwt": "true"}, "token_type", "rfc9068"),
        # What is not given, or does not describe an issuer, changes nothing.
        ({"strict_at_jwt": "false"}, "token_type", "any"),
        ({"leeway": 7}, "scope_claims", ("scope",)),
    ],
    ids=str,
)
def test_explicit_settings_win_over_a_preset(explicit, member, value):
    (preset,) = OAuth2Settings(provider=AUTH0, resource=GOOD["resource"]).policies
    (policy,) = OAuth2Settings(provider=AUTH0, resource=GOOD["resource"], **explicit).policies
    assert getattr(policy, member) == value
    assert policy == preset.model_copy(update={member: value})


def test_a_check_of_tenants_that_would_block_or_contradicts_a_list_stops_the_start():
    async def check(tenant):
        return True

    template = {name: value for name, value in TENANTS.items() if name != "tenants"}
    assert IssuerPolicy(**template, tenant_check=check).login == template["authorization_server"]
    with pytest.raises(ValidationError, match="'tenant_check' is no async function"):
        IssuerPolicy(**template, tenant_check=lambda tenant: True)
    with pytest.raises(ValidationError, match="needs either 'tenants' or 'tenant_check'"):
        IssuerPolicy(**TENANTS, tenant_check=check)
    with pytest.raises(ValidationError, match="'authorization_server' is missing"):
        IssuerPolicy(issuer=TENANTS["issuer"], tenant_check=check)


def test_clients_of_tenants_are_sent_where_the_policy_says_and_those_of_one_tenant_to_its_issuer():
    settings = OAuth2Settings(issuers=[POLICY, TENANTS], resource=GOOD["resource"])
    assert settings.authorization_servers == (POLICY["issuer"], TENANTS["authorization_server"])
    one = IssuerPolicy(issuer=TENANTS["issuer"], tenants="acme")
    assert OAuth2Settings(issuers=[one], resource=GOOD["resource"]).authorization_servers == (
        "https://sso.example.com/realms/acme",
    )
