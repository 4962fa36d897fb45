"""Proves an ID token (OpenID Connect Core, 3.1.3.7): its key, its algorithm, who made it, for whom, until when."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt

from callspool.domain.errors import IdentityRefused
from callspool.domain.identity import Claims

_FAMILIES: Final = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("Ed",)}
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a private key alone: no ``none``, and no HMAC, whose secret a public key would be."""
_LEEWAY_S: Final = 30
"""How far the two clocks may be apart."""
_REQUIRED: Final = ["aud", "exp", "iat", "iss", "sub"]


class KeyUnknown(Exception):
    """No key of the provider's that is known here is the token's: there may be a newer one."""


def prove(token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str) -> Claims:
    """Return the token's claims. Raises `IdentityRefused`, or `KeyUnknown`."""
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise IdentityRefused("The identity provider's token is not signed as it must be.")
        key = _key(keys, header.get("kid"), algorithm)
        claims: dict[str, Any] = jwt.decode(
            *(token, key),
            algorithms=[algorithm],
            issuer=issuer,
            audience=client_id,
            leeway=_LEEWAY_S,
            options={"require": _REQUIRED},
        )
    except jwt.PyJWTError as error:
        raise IdentityRefused(f"The identity provider's token does not hold: {_why(error)}.") from None
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise IdentityRefused("The identity provider's token is not for this sign-in. Begin again.")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise IdentityRefused("The identity provider's token was made for another application.")
    return claims


def _key(keys: Sequence[Mapping[str, Any]], kid: object, algorithm: str) -> jwt.PyJWK:
    fitting = [one for one in keys if _fits(one, kid, algorithm)]
    if not fitting or (kid is None and len(fitting) > 1):
        raise KeyUnknown
    return jwt.PyJWK(dict(fitting[0]), algorithm)


def _fits(key: Mapping[str, Any], kid: object, algorithm: str) -> bool:
    return (
        (kid is None or key.get("kid") == kid)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and algorithm.startswith(_FAMILIES.get(str(key.get("kty")), ()))
    )


def _why(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.InvalidAudienceError():
            return "it is for another application"
        case jwt.InvalidIssuerError():
            return "another issuer made it"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
    return "it cannot be read"
