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


def is_issuer(issuer: str, tenant: str, text: str) -> bool:
    """Whether the text is this issuer, once the tenant stands where it has a variable. Entra ID writes `{tenantid}` there."""
    return text.replace("{tenantid}", tenant).replace(TENANT, tenant) == issuer


def may_be_issuer(issuer: str, text: str) -> bool:
    """Whether the text is this issuer, or a form with a variable, of which it is not known here what stands for it."""
    return text == issuer or "{" in text


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
        return TENANT in _host_of(self.text)

    def problem(self) -> str | None:
        """Why no tenant could be trusted by this template, as the end of a sentence; nothing when it is fit.

        Does not check: that it is a URL once it is filled.
        """
        if not self._names_host():
            return None
        rest = _host_of(self.text).removeprefix(TENANT)
        if TENANT in rest or not rest.startswith(".") or "." not in rest.removeprefix("."):
            return f"lets a tenant choose the host; in a host {TENANT} is the first label of a domain of yours"
        return None

    def overlaps(self, other: "IssuerTemplate") -> bool:
        """Whether one issuer could be of both forms. It may say so of two that share none, never the reverse."""
        if not _could_be_one_host(_host_of(self.text), _host_of(other.text)):
            return False
        parts, others = self.text.split(TENANT), other.text.split(TENANT)
        start, end = _difference(parts[0], others[0]), _difference(parts[-1][::-1], others[-1][::-1])
        if start is None or end is None:
            return False
        longer_start, longer_end = len(parts[0]) > len(others[0]), len(parts[-1]) > len(others[-1])
        if max(self.text.count(TENANT), other.text.count(TENANT)) > 1 or (start and end and longer_start != longer_end):
            # Whatever the one tenant ends with, the other could begin with.
            return True
        # All of the difference is part of one tenant.
        return _IN_TENANTS.fullmatch(start + end) is not None


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _could_be_one_host(one: str, another: str) -> bool:
    """Whether two hosts, of which the first label may be a tenant, could be the same."""
    if TENANT in one or TENANT in another:
        return one.partition(".")[2] == another.partition(".")[2]
    return one == another


def _difference(one: str, another: str) -> str | None:
    """What one text has more at its end than the other; none where neither begins with the other."""
    shorter, longer = sorted((one, another), key=len)
    return longer[len(shorter) :] if longer.startswith(shorter) else None
