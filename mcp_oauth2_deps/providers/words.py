"""The words that an operator gives a preset, each held to its form, so that none can put anything else into a URL.

Which words a provider has does not belong here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Never

from mcp_oauth2_deps.protocol.urls import url_problem, without_user

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HOST = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})+", re.ASCII)
# Of what RFC 3986 calls unreserved; without `%`, `/`, `?`, `#`, `@` and `:` it cannot leave its place in a path.
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}", re.ASCII)
_IDENTIFIER = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}", re.ASCII)
_MOST_SHOWN = 80

Words = str | Iterable[str]


class ProviderError(ValueError):
    """A provider cannot be used as it was named: a word is missing or malformed, or its tokens cannot be judged here."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Reads the words of one provider.

    Attributes:
        provider: its name, for what is said of a wrong word.
    """

    provider: str

    def refuse(self, problem: str) -> Never:
        """Ends with this sentence about the provider."""
        raise ProviderError(f"the provider {self.provider} {problem}")

    def wrong(self, name: str, value: object, form: str, example: str) -> Never:
        """Ends with a sentence about one word: what it must be, what it is, and an example."""
        shown = repr(without_user(value)[:_MOST_SHOWN]) if isinstance(value, str) else f"of the type {type(value).__name__}"
        self.refuse(f"needs {form} as {name!r}, which is {shown}; for example {name}={example}")

    def guid(self, name: str, value: object) -> str:
        """A GUID, in the lower case in which providers write it."""
        text = value.lower() if isinstance(value, str) else ""
        if not _GUID.fullmatch(text):
            self.wrong(name, value, "a GUID", "72f988bf-86f1-41af-91ab-2d7cd011db47")
        return text

    def label(self, name: str, value: object, example: str) -> str:
        """One part of a host name."""
        text = value.lower() if isinstance(value, str) else ""
        if not _LABEL.fullmatch(text):
            self.wrong(name, value, "one word of letters, digits and hyphens", example)
        return text

    def host(self, name: str, value: object, example: str) -> str:
        """A host name alone: no scheme, port or path."""
        text = value.lower() if isinstance(value, str) else ""
        if not _HOST.fullmatch(text) or len(text) > 253:  # noqa: PLR2004  # RFC 1035 section 2.3.4
            self.wrong(name, value, "a host name alone, without https:// and without a path,", example)
        return text

    def segment(self, name: str, value: object, example: str) -> str:
        """One part of a path."""
        if not isinstance(value, str) or not _SEGMENT.fullmatch(value):
            self.wrong(name, value, "one word of letters, digits and -._~", example)
        return value

    def one_of(self, name: str, value: object, choices: tuple[str, ...]) -> str:
        """One of these."""
        if str(value) not in choices:
            self.wrong(name, value, f"one of {', '.join(choices)}", choices[0])
        return str(value)

    def url(self, name: str, value: object, example: str) -> str:
        """A URL, verbatim; http only of a loopback host, and whether that is wanted the settings say."""
        problem = url_problem(value, allow_insecure_http=True, query_allowed=False) if isinstance(value, str) else "is no text"
        if problem or not isinstance(value, str):
            self.refuse(f"needs a URL as {name!r}, which {problem}; for example {name}={example}")
        return value

    def identifier(self, name: str, value: object, example: str) -> str:
        """A name that is compared and never put into a URL: printable, without spaces, quotes and backslashes."""
        if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
            self.wrong(name, value, "a name without spaces and quotes", example)
        return value

    def identifiers(self, name: str, value: Words, example: str) -> tuple[str, ...]:
        """Such names: one, several separated by commas, or several. None given are none."""
        return tuple(self.identifier(name, part, example) for part in self._parts(name, value, example))

    def audiences(self, value: Words, example: str = "https://api.example.com/mcp") -> tuple[str, ...]:
        """The word `audience`: accepted audiences. None given are none, and then the resource counts."""
        return self.identifiers("audience", value, example)

    def guids(self, name: str, value: Words) -> tuple[str, ...]:
        """At least one GUID: one, several separated by commas, or several."""
        found = tuple(self.guid(name, part) for part in self._parts(name, value, ""))
        return found or (self.guid(name, ""),)

    def _parts(self, name: str, value: Words, example: str) -> tuple[str, ...]:
        if isinstance(value, str):
            return tuple(value.split(",")) if value else ()
        if not isinstance(value, Iterable):
            self.wrong(name, value, "one or several names", example)
        return tuple(value)
