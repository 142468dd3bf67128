"""How one issuer is asked about its tokens, as an operator writes it: in code, as JSON, or by plain settings.

Asking does not belong here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from mcp_oauth2_deps.protocol.client_authentication import ClientAuthentication, SecretInForm, SecretInHeader, SignedAssertion
from mcp_oauth2_deps.protocol.jws import UnusableKeyError
from mcp_oauth2_deps.protocol.signing import read_private_key

IntrospectionMode = Literal["opaque", "always"]
DEFAULT_TTL = 10
"""Seconds that a good answer is remembered: so long a revoked token lives on."""
_PREFIXES = "for example prefixes ['oat_'] and ['gho_']"


class IntrospectionPolicy(BaseModel):
    """How one issuer is asked about its tokens (RFC 7662), and who we are there.

    Raises:
        pydantic.ValidationError: neither a secret nor a key, both of them, or a key file that cannot be used.

    Example:
        >>> IntrospectionPolicy(client_id="files-api", client_secret="...")
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    mode: IntrospectionMode = "opaque"
    """`opaque`: only tokens that are no JWTs are asked about. `always`: JWTs too, after they were verified here."""
    client_id: Annotated[str, Field(min_length=1)]
    """Who we are at this issuer. For signed answers also the audience that they must name."""
    client_secret: SecretStr | None = None
    """Our secret, for `client_secret_basic` or `client_secret_post`."""
    client_key_file: Path | None = None
    """A file with our private key (PEM or JWK), for `private_key_jwt`."""
    client_auth: Literal["client_secret_basic", "client_secret_post"] | None = None
    """How the secret is sent. Default: what the issuer's metadata names, `client_secret_basic` where it says nothing."""
    url: str | None = None
    """Where to ask. Default: `introspection_endpoint` of the issuer's metadata. With it the issuer needs no keys."""
    ttl: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = DEFAULT_TTL
    """Seconds that a good answer is remembered, at most until the token expires: so long a revoked token lives on."""
    audience_required: bool = True
    """Refuse tokens of which the answer names no `aud`. Without it `token_type` must be there, and any token of the issuer that
    this client may ask about passes, whichever server it was made for."""
    signed: bool = False
    """Ask for signed answers (RFC 9701), and refuse others."""
    prefixes: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """How opaque tokens of this issuer begin; needed where two issuers are asked, because a token must not be shown to a
    stranger."""

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.client_secret is None) == (self.client_key_file is None):
            raise ValueError("needs either client_secret or client_key_file: an issuer answers known clients only")
        if self.client_key_file is not None and self.client_auth is not None:
            raise ValueError("client_auth is for a client_secret; a client_key_file means private_key_jwt")
        if self.client_secret is not None and not self.client_secret.get_secret_value():
            raise ValueError("client_secret is empty")
        self.authentication()
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know."""
        text = (
            "opaque tokens pass without an audience (audience_required is false): any token of this issuer that this client may "
            "ask about is let in, whichever server it was made for"
        )
        return () if self.audience_required else (text,)

    def authentication(self) -> ClientAuthentication:
        """How we say who we are. Reads the key file.

        Raises:
            ValueError: the file cannot be read, or holds no key that can be used.
        """
        if self.client_secret is not None:
            form = self.client_auth == "client_secret_post"
            return (SecretInForm if form else SecretInHeader)(self.client_id, self.client_secret.get_secret_value())
        try:
            text = Path(self.client_key_file or "").read_text("utf-8")
            return SignedAssertion(self.client_id, read_private_key(text))
        except UnusableKeyError as error:
            raise ValueError(f"the key in client_key_file cannot be used: {error}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"client_key_file cannot be read ({type(error).__name__})") from None


def refuse_strangers(asked: Sequence[tuple[str, IntrospectionPolicy]]) -> None:
    """Guarantees that an opaque token, which names no issuer, is shown to one issuer only.

    Args:
        asked: the issuers that are asked, each with how.

    Raises:
        ValueError: there are several, and one says not how its tokens begin, or as another one does.
    """
    if len(asked) < 2:  # noqa: PLR2004  # a single one needs no prefixes
        return
    for issuer, policy in asked:
        others = [prefix for other, its in asked if other != issuer for prefix in its.prefixes]
        if not policy.prefixes:
            raise ValueError(f"introspection of several issuers needs 'prefixes' for each, as {issuer!r} has none, {_PREFIXES}")
        if any(one.startswith(another) or another.startswith(one) for one in policy.prefixes for another in others):
            raise ValueError(f"'prefixes' of {issuer!r} begin like those of another issuer, {_PREFIXES}")


class PlainSettings(Protocol):
    """The settings of a single issuer that may be asked about its tokens."""

    @property
    def introspection(self) -> Literal["off", "opaque", "always"]:
        """Whether it is asked."""

    @property
    def introspection_ttl(self) -> float:
        """`ttl`."""

    @property
    def introspection_url(self) -> str | None:
        """`url`."""

    @property
    def client_id(self) -> str | None:
        """`client_id`."""

    @property
    def client_secret(self) -> SecretStr | None:
        """`client_secret`."""

    @property
    def client_key_file(self) -> Path | None:
        """`client_key_file`."""


def plain_policy(settings: PlainSettings) -> IntrospectionPolicy | None:
    """The policy that plain settings stand for; none where introspection is off.

    Raises:
        ValueError: they make none; `plain_problem` says why.
    """
    if settings.introspection == "off":
        return None
    return IntrospectionPolicy(
        mode=settings.introspection,
        client_id=settings.client_id or "",
        client_secret=settings.client_secret,
        client_key_file=settings.client_key_file,
        url=settings.introspection_url,
        ttl=settings.introspection_ttl,
    )


def plain_problem(settings: PlainSettings, issuers: int) -> tuple[str, str] | None:
    """Which of the plain settings is wrong, and what is wrong with it; nothing when they make a policy.

    Args:
        settings: the settings.
        issuers: how many issuers they describe.
    """
    if settings.introspection == "off":
        if settings.introspection_url is None:
            return None
        return "introspection_url", "is of no use without the setting introspection, which is off"
    if issuers > 1:
        return "introspection", (
            "is possible with a single issuer only: an opaque token names no issuer, and would be shown to a stranger"
        )
    if not settings.client_id:
        return "client_id", "is missing: the issuer answers known clients only"
    if bool(settings.client_secret) == (settings.client_key_file is not None):
        return "client_secret", "is needed for introspection, or else the setting client_key_file: set one of them, not both"
    try:
        plain_policy(settings)
    except ValidationError as error:
        return "client_key_file", error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
    return None
