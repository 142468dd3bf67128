"""How this server says who it is at an authorization server (RFC 6749 section 2.3.1, RFC 7523 section 2.2).

Where it is said, and what is asked there, do not belong here.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote_plus

from mcp_oauth2_deps.protocol.signing import PrivateKey, sign_jwt

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Seconds that an assertion lives: long enough for one request, and for clocks that differ a little.
_ASSERTION_LIFE = 60


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A form with what authenticates its sender. Its repr shows neither, because both hold secrets.

    Attributes:
        fields: the members of the form.
        authorization: the value of the `Authorization` field, if there is one.
    """

    fields: Mapping[str, str] = field(repr=False)
    authorization: str | None = field(default=None, repr=False)


class ClientAuthentication(Protocol):
    """One way to say who we are."""

    @property
    def client_id(self) -> str:
        """Who we are."""

    def authenticated(self, fields: Mapping[str, str], *, issuer: str, now: float, unique: str) -> FormRequest:
        """The form, with what proves that we send it.

        Args:
            fields: the form.
            issuer: whom it is for.
            now: epoch seconds.
            unique: a text that was never used before.
        """


@dataclass(frozen=True, slots=True)
class SecretInHeader:
    """`client_secret_basic`: id and secret, each form-encoded, in `Authorization: Basic` (RFC 6749 section 2.3.1).

    Without the encoding a colon in the id, or a percent sign in the secret, would arrive as something else.
    """

    client_id: str
    secret: str = field(repr=False)

    def authenticated(self, fields: Mapping[str, str], **_: object) -> FormRequest:
        """See `ClientAuthentication`.

        Example:
            >>> SecretInHeader("id:1", "a%b").authenticated({}).authorization == "Basic " + b64encode(b"id%3A1:a%25b").decode()
            True
        """
        credentials = f"{quote_plus(self.client_id, safe='')}:{quote_plus(self.secret, safe='')}"
        return FormRequest(fields, "Basic " + b64encode(credentials.encode("ascii")).decode("ascii"))


@dataclass(frozen=True, slots=True)
class SecretInForm:
    """`client_secret_post`: id and secret among the fields, for servers that know nothing else."""

    client_id: str
    secret: str = field(repr=False)

    def authenticated(self, fields: Mapping[str, str], **_: object) -> FormRequest:
        """See `ClientAuthentication`."""
        return FormRequest({**fields, "client_id": self.client_id, "client_secret": self.secret})


@dataclass(frozen=True, slots=True)
class SignedAssertion:
    """`private_key_jwt`: a JWT of ours, good for one request to this issuer (RFC 7523 section 3)."""

    client_id: str
    key: PrivateKey

    def authenticated(self, fields: Mapping[str, str], *, issuer: str, now: float, unique: str) -> FormRequest:
        """See `ClientAuthentication`. The audience is the issuer, whichever of its endpoints is asked."""
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": issuer,
            "jti": unique,
            "iat": int(now),
            "exp": int(now) + _ASSERTION_LIFE,
        }
        assertion = sign_jwt(self.key, claims)
        return FormRequest(
            {**fields, "client_id": self.client_id, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        )
