"""One line of text to policies: `entra tenant=... app=...; okta org=...`, as an environment variable holds it.

What a preset makes of its words does not belong here.
"""

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Never

from mcp_oauth2_deps.issuer_policy import IssuerPolicy
from mcp_oauth2_deps.providers.by_name import PRESETS
from mcp_oauth2_deps.providers.examples import EXAMPLES
from mcp_oauth2_deps.providers.words import ProviderError


def policies_of(text: str) -> tuple[IssuerPolicy, ...]:
    """The policies of the providers that are named, in their order.

    A provider is its name and its words as `name=value`, separated by spaces; providers are separated by `;`. A value with a
    space or a `;` stands in quotes.

    Raises:
        ProviderError: a provider or a word is unknown, missing, given twice or malformed; the text has an example.

    Example:
        >>> [policy.issuer for policy in policies_of("auth0 domain=acme.eu.auth0.com; logto domain=acme.logto.app")]
        ['https://acme.eu.auth0.com/', 'https://acme.logto.app/oidc']
    """
    made: list[IssuerPolicy] = []
    for name, *words in _statements(text):
        policies = _made_of(name, words)
        made.extend(policies if isinstance(policies, tuple) else (policies,))
    if not made:
        raise ProviderError(f"names no provider; for example {EXAMPLES['keycloak']}")
    return tuple(made)


def _statements(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";")
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    statement: list[str] = []
    try:
        for part in lexer:
            if part.strip(";"):
                statement.append(part)
            elif statement:
                yield statement
                statement = []
    except ValueError:
        raise ProviderError(f"has a quote that does not end; for example {EXAMPLES['keycloak']}") from None
    if statement:
        yield statement


def _made_of(given: str, words: list[str]) -> IssuerPolicy | tuple[IssuerPolicy, ...]:
    name = given.replace("-", "_").lower()
    preset = PRESETS.get(name)
    if preset is None:
        close = get_close_matches(name, PRESETS, n=1)
        cure = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(PRESETS))}"
        raise ProviderError(f"names {given[:40]!r}, which is no provider; {cure}")
    arguments: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            _refuse(name, f"{word[:40]!r}, which has not the form name=value")
        if key in arguments:
            _refuse(name, f"{key!r} twice, though several values are separated by commas")
        arguments[key] = value
    _verify_names(name, preset, arguments)
    return preset(**arguments)


def _verify_names(name: str, preset: Callable[..., object], arguments: Mapping[str, str]) -> None:
    parameters = inspect.signature(preset).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for key in arguments:
        if key not in parameters:
            _refuse(name, f"{key[:40]!r}, which is none of its words ({', '.join(parameters)})")
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in arguments:
            _refuse(name, f"no {key!r}, which it needs")


def _refuse(name: str, problem: str) -> Never:
    raise ProviderError(f"gives the provider {name} {problem}; for example {EXAMPLES[name]}")
