"""Issuers that differ in one place only: a template with a variable for the tenant, and what may stand there.

Which tenants are trusted does not belong here.
"""

import re
from dataclasses import dataclass, field

TENANT = "{tenant}"
# No character of a tenant ends a path segment or a host, begins a query, a fragment or a user name, or escapes another one.
_TENANT = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
_IN_TENANTS = re.compile(r"[A-Za-z0-9._-]*")


def is_tenant(text: str) -> bool:
    """Whether the text can stand for a tenant: 1 to 128 letters, digits, `_`, `-`, and single dots between them."""
    return _TENANT.fullmatch(text) is not None and ".." not in text


@dataclass(frozen=True, slots=True)
class IssuerTemplate:
    """An issuer with `{tenant}` where the tenant stands, once or several times.

    Example:
        >>> template = IssuerTemplate("https://sso.example.com/realms/{tenant}")
        >>> template.issuer_of("acme")
        'https://sso.example.com/realms/acme'
        >>> template.tenant_of("https://sso.example.com/realms/acme")
        'acme'
        >>> template.tenant_of("https://sso.example.com/realms/acme/../other") is None
        True
    """

    text: str
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        first, *others = map(re.escape, self.text.split(TENANT))
        pattern = first + r"([A-Za-z0-9._-]{1,128})" + r"\1".join(others) if others else first
        object.__setattr__(self, "_pattern", re.compile(pattern))

    def issuer_of(self, tenant: str) -> str:
        """The issuer of this tenant."""
        return self.text.replace(TENANT, tenant)

    def tenant_of(self, issuer: str) -> str | None:
        """The tenant of an issuer of this form; none when it has another form, or no tenant could have this name."""
        found = self._pattern.fullmatch(issuer)
        if found is None:
            return None
        tenant = found[1]
        return tenant if is_tenant(tenant) and not ("." in tenant and self._names_host()) else None

    def _names_host(self) -> bool:
        return TENANT in self.text.partition("://")[2].partition("/")[0]

    def problem(self) -> str | None:
        """Why no tenant could be trusted by this template, as the end of a sentence; nothing when it is fit.

        Does not check: that it is a URL once it is filled.
        """
        host = self.text.partition("://")[2].partition("/")[0]
        if TENANT not in host:
            return None
        rest = host.removeprefix(TENANT)
        if TENANT in rest or not rest.startswith(".") or "." not in rest.removeprefix("."):
            return f"lets a tenant choose the host; in a host {TENANT} is the first label of a domain of yours"
        return None

    def overlaps(self, other: "IssuerTemplate") -> bool:
        """Whether one issuer could be of both forms. It may say so of two that share none, never the reverse."""
        starts, ends = ([text.split(TENANT)[place] for text in (self.text, other.text)] for place in (0, -1))
        return _could_meet(*starts) and _could_meet(*(end[::-1] for end in ends))


def _could_meet(one: str, another: str) -> bool:
    """Whether what one text has more than the other could be part of a tenant."""
    shorter, longer = sorted((one, another), key=len)
    return longer.startswith(shorter) and _IN_TENANTS.fullmatch(longer[len(shorter) :]) is not None
