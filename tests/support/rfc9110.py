"""A parser of challenges by the grammar of RFC 9110 sections 5.6 and 11, written apart from the package it judges."""

import re

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BLANKS = re.compile(r"[ \t]*")
_QUOTED = re.compile(r'"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"')
_PAIR = re.compile(r"\\(.)", re.DOTALL)


class _Scanner:
    def __init__(self, text):
        self.text, self.place = text, 0

    def take(self, pattern):
        match = pattern.match(self.text, self.place)
        if match is None:
            return None
        self.place = match.end()
        return match

    def demand(self, pattern):
        match = self.take(pattern)
        if match is None:
            raise ValueError(f"no challenge at {self.place}: {self.text!r}")
        return match

    def literal(self, character):
        if self.text[self.place : self.place + 1] != character:
            return False
        self.place += 1
        return True

    @property
    def at_end(self):
        return self.place == len(self.text)


def parse_challenge(value):
    """The one challenge with parameters in a `WWW-Authenticate` value, as (scheme, parameters); ValueError for anything else."""
    scanner, parameters = _Scanner(value), {}
    scheme = scanner.demand(_TOKEN)[0]
    if not scanner.literal(" "):
        raise ValueError(f"no space after the scheme: {value!r}")
    _parameters(scanner, parameters)
    return scheme, parameters


def challenge_of(response):
    """Scheme and parameters of the only challenge in a response of httpx."""
    (field,) = response.headers.get_list("www-authenticate")
    return parse_challenge(field)


def scopes_of(response):
    """The scopes that the only challenge of a response asks for."""
    return set(challenge_of(response)[1].get("scope", "").split())


def _ended(scanner):
    scanner.take(_BLANKS)
    return scanner.at_end


def _parameters(scanner, parameters):
    while True:
        scanner.take(_BLANKS)
        name = scanner.demand(_TOKEN)[0].lower()
        if not scanner.literal("="):
            raise ValueError(f"the parameter {name} has no value")
        quoted = scanner.take(_QUOTED)
        text = _PAIR.sub(r"\1", quoted[1]) if quoted else scanner.demand(_TOKEN)[0]
        if name in parameters:
            raise ValueError(f"the parameter {name} is there twice")
        parameters[name] = text
        if _ended(scanner):
            return
        if not scanner.literal(","):
            raise ValueError(f"no comma after the parameter {name}")
