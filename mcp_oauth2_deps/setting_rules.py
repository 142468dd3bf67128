"""What makes a value of a setting wrong, for the settings and for the policy of one issuer, which say many things alike.

How the failure is written does not belong here.
"""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationInfo

from mcp_oauth2_deps.protocol.jws import SUPPORTED_ALGORITHMS
from mcp_oauth2_deps.protocol.scopes import is_scope_token, transitive_hierarchy
from mcp_oauth2_deps.protocol.urls import url_problem, without_user
from mcp_oauth2_deps.setting_errors import setting_problem

# What describes every issuer of `issuer`, and so has no meaning where each issuer has a policy: as the policy calls it.
_IN_POLICIES = {
    "jwks_uri": "jwks_uri",
    "clients": "clients",
    "client_claims": "client_claims",
    "scope_claims": "scope_claims",
    "scope_prefix": "scope_prefix",
    "strict_at_jwt": "token_type",
    "introspection": "introspection.mode",
    "introspection_ttl": "introspection.ttl",
    "introspection_url": "introspection.url",
    "client_id": "introspection.client_id",
    "client_secret": "introspection.client_secret",
    "client_key_file": "introspection.client_key_file",
}


def trustworthy_url(url: str, *, allow_insecure_http: bool, query_allowed: bool = True) -> str:
    """The URL, fit to be trusted.

    Raises:
        ValueError: it is not; without a user name and password in the text.
    """
    problem = url_problem(url, allow_insecure_http=allow_insecure_http, query_allowed=query_allowed) if url else "is empty"
    if problem:
        raise ValueError(f"{without_user(url)!r} {problem}")
    return url


def trusted(url: str | None, info: ValidationInfo, *, query_allowed: bool = True) -> str | None:
    """The URL of a setting, fit to be trusted; none where none is given.

    Raises:
        ValueError: it is not fit.
    """
    return None if url is None else trustworthy_url(url, allow_insecure_http=http_allowed(info), query_allowed=query_allowed)


def http_allowed(info: ValidationInfo) -> bool:
    """Whether `http` is accepted for loopback hosts. Where that setting itself is wrong, no URL is called wrong because of it."""
    return bool(info.data.get("allow_insecure_http", True))


def clean_identifiers(value: tuple[str, ...]) -> tuple[str, ...]:
    """The identifiers, none of them empty or with white space at an end.

    Raises:
        ValueError: one is.
    """
    for text in value:
        clean_identifier(text)
    return value


def clean_identifier(text: str) -> str:
    """The text, not empty, without white space at an end, and printable.

    Raises:
        ValueError: it is not.
    """
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} is empty or has white space at an end; remove it")
    return text


def refuse_placeless_metadata(url: str | None) -> None:
    """Guarantees that the URL of the metadata, where it is given, has a path.

    Raises:
        PydanticCustomError: it has none.
    """
    if url and not urlsplit(url).path.strip("/"):
        raise setting_problem("metadata_url", f"{url!r} has no path; the document needs a place of its own")


def refuse_strict_without_audience(clients: Collection[str], *, strict: bool) -> None:
    """Guarantees that nobody demands `aud` to the letter, and does without it.

    Raises:
        PydanticCustomError: somebody does.
    """
    if clients and strict:
        text = "names clients whose tokens have no aud, which the setting strict_at_jwt demands; leave out one of them"
        raise setting_problem("clients", text)


def asymmetric_algorithms(value: tuple[str, ...]) -> tuple[str, ...]:
    """The algorithms, at least one, and none with which a public key could make tokens.

    Raises:
        ValueError: one is not supported, or there is none.
    """
    for alg in value or ("",):
        if alg.lower() == "none" or alg.upper().startswith("HS"):
            raise ValueError(f"{alg!r} is refused: with it anybody who knows the public key can make tokens")
        if alg not in SUPPORTED_ALGORITHMS:
            raise ValueError(f"{alg!r} is not supported; possible are {', '.join(SUPPORTED_ALGORITHMS)}")
    return value


def claim_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """The names of claims, at least one, and none empty.

    Raises:
        ValueError: there is none, or an empty one.
    """
    if not value or not all(value):
        raise ValueError("names no claim, or an empty one")
    return value


def scope_names(value: dict[str, Any]) -> dict[str, Any]:
    """Scopes with what is said of them, or with those that they imply.

    Raises:
        ValueError: one is no scope, or they imply each other in a circle.
    """
    for scope, rest in value.items():
        for name in (scope, *(rest if isinstance(rest, tuple) else ())):
            if not is_scope_token(name):
                raise ValueError(f"{name!r} is no scope: it is empty or has spaces, quotes or a backslash")
    if any(isinstance(rest, tuple) for rest in value.values()):
        try:
            transitive_hierarchy(value)
        except ValueError as error:
            raise ValueError(f"has a cycle: {error}") from None
        except RecursionError:
            raise ValueError("has a chain that is too long") from None
    return value


def fit_prefix(value: str) -> str:
    """What may stand in front of a scope; nothing is possible.

    Raises:
        ValueError: no scope could begin with it.
    """
    if value and not is_scope_token(value):
        raise ValueError(f"{value!r} can stand in front of no scope: it has spaces, quotes or a backslash")
    return value


def unknown_member(name: str, known: Collection[str]) -> str:
    """What is said of a name that is none of the known ones: the one that it resembles."""
    close = get_close_matches(name, known, n=1)
    return f"{name!r} is no member here; " + (f"did you mean {close[0]!r}?" if close else "remove it")


def refuse_more_than_policies(given: Iterable[str], policies: Collection[object]) -> None:
    """What describes the issuers stands in their policies alone: of two places nobody could say which one counts.

    Args:
        given: the settings that were given.
        policies: what the setting `issuers` names.

    Raises:
        PydanticCustomError: one of them describes issuers.
    """
    for name in sorted(given) if policies else ():
        if name == "issuer":
            raise setting_problem(name, "is set together with the setting issuers; name every issuer there")
        if name in _IN_POLICIES:
            text = "counts for the issuers of the setting issuer only; with the setting issuers it stands in each policy, as "
            raise setting_problem(name, f"{text}{_IN_POLICIES[name]!r}")


def refuse_two_names(given: Collection[str], providers: Collection[object]) -> None:
    """Who names a provider names its issuers; of a second list nobody could say which one counts.

    Args:
        given: the settings that were given.
        providers: what the setting `provider` names.

    Raises:
        PydanticCustomError: the issuers are named once more.
    """
    for name in ("issuer", "issuers"):
        if providers and name in given:
            raise setting_problem(
                name, "is set together with the setting provider, which names issuers too; leave out one of them"
            )


def fit_issuer(issuer: str, jwks_uri: str | None) -> None:
    """Guarantees that the issuer is a URL that is fit to be trusted, or a text of which is said where its keys are.

    Raises:
        ValueError: it is neither.
    """
    problem = url_problem(issuer, allow_insecure_http=True, query_allowed=False)
    if problem is None:
        return
    if "://" in issuer or "@" in issuer or not issuer.isprintable() or issuer != issuer.strip() or not issuer:
        raise ValueError(f"{without_user(issuer)!r} {problem}")
    if jwks_uri is None:
        raise ValueError(
            f"the issuer {issuer!r} is no URL, so that its keys cannot be found; correct it, or name its keys, for example "
            '"jwks_uri": "https://auth.example.com/keys"'
        )
