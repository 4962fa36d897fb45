"""Who somebody is, as an identity provider says (OpenID Connect), and what that allows here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from callspool.domain.errors import IdentityRefused
from callspool.domain.ids import TenantId, is_name
from callspool.domain.session import is_user_name

EMAIL: Final = "email"

OPERATOR: Final = "operator"
_TENANT: Final = "tenant:"

Claims = Mapping[str, Any]
"""What a proven ID token says."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What binds an answer of the provider to the browser that asked: nobody else knows or can make it."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE: proves at the token endpoint that it is the same who asked."""
    redirect_uri: str


class IdentityProvider(Protocol):
    """Asks an identity provider who somebody is."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def issuer(self) -> str:
        """Its identifier, as its tokens have it."""
        ...

    async def address(self, challenge: Challenge) -> str:
        """Return where the browser is sent to. Raises `IdentityUnavailable`."""
        ...

    async def claims(self, code: str, challenge: Challenge) -> Claims:
        """Return what its token says, proven. Raises `IdentityUnavailable` or `IdentityRefused`."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """One value of a claim, and what it allows."""

    value: str
    tenant_id: TenantId | None
    """None: the operator's rights."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Which claims name a user and tell what it may."""

    user_claim: str
    role_claim: str
    grants: tuple[Grant, ...]
    """The first that fits counts."""

    def of(self, claims: Claims) -> tuple[str, TenantId | None]:
        """Return the user's name and whose things it may see; None: the operator. Raises `IdentityRefused`."""
        name = str(self._value(claims, self.user_claim) or "").strip().lower()
        if not is_user_name(name):
            raise IdentityRefused(f"The identity provider does not say who you are in its claim '{self.user_claim}'.")
        given = self._value(claims, self.role_claim)
        values = {one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)}
        for grant in self.grants:
            if any(self._fits(grant.value, value) for value in values):
                return name, grant.tenant_id
        raise IdentityRefused(f"'{name}' has no access here. Ask the operator of callspool for it.")

    def _fits(self, wanted: str, value: str) -> bool:
        if self.role_claim != EMAIL:
            return value == wanted
        value, wanted = value.lower(), wanted.lower()
        return value.rpartition("@")[2] == wanted[1:] if wanted.startswith("@") else value == wanted

    @staticmethod
    def _value(claims: Claims, claim: str) -> object:
        if claim == EMAIL and claims.get("email_verified") not in (True, "true"):
            raise IdentityRefused("The identity provider does not say that your mail address was verified.")
        return claims.get(claim)


def read_grants(text: str) -> tuple[Grant, ...]:
    """Return what ``value=operator, value=tenant:NAME`` means. Raises `ValueError`."""
    return tuple(_grant(one.strip()) for one in text.split(",") if one.strip())


def _grant(text: str) -> Grant:
    value, is_there, role = (part.strip() for part in text.rpartition("="))
    tenant = role.removeprefix(_TENANT)
    if not value or not is_there or (role != OPERATOR and (tenant == role or not is_name(tenant))):
        raise ValueError(f"'{text}' must be VALUE=operator or VALUE=tenant:NAME")
    return Grant(value, None if role == OPERATOR else TenantId(tenant))
