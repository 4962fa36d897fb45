"""An identity provider by its discovery document: the Authorization Code flow with PKCE (RFC 9700).

Its document and keys are remembered for an hour. A token that is signed with an unknown key has them asked for again,
as a provider that replaces its keys wants it, but not for each token that somebody makes up.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from callspool.domain.errors import IdentityRefused, IdentityUnavailable
from callspool.domain.identity import Challenge, Claims
from callspool.identity.documents import Document, ask, checked
from callspool.identity.tokens import KeyUnknown, prove

REMEMBERED_S: Final = 3600.0
NEW_KEYS_EVERY_S: Final = 10.0
"""An unknown key has the keys asked for again at most so often."""
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_MOST_TEXT: Final = 300


class OpenIdProvider:
    """The `IdentityProvider` port."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str = "",
        *,
        name: str = "",
        scopes: str = "openid email profile",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Ask nobody yet. Without a secret it is a public client, which PKCE alone protects."""
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._name = name or urlsplit(issuer).hostname or issuer
        self._scopes = scopes
        self._document = _Remembered(clock)
        self._keys = _Remembered(clock)
        self._clock = clock
        self._new_keys_at = float("-inf")

    @property
    def name(self) -> str:
        """What people call it."""
        return self._name

    @property
    def issuer(self) -> str:
        """Its identifier, as its tokens have it."""
        return self._issuer

    async def address(self, challenge: Challenge) -> str:
        """Return where the browser is sent to. Raises `IdentityUnavailable`."""
        endpoint = (await self.discover())["authorization_endpoint"]
        digest = hashlib.sha256(challenge.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": challenge.redirect_uri,
            "scope": self._scopes,
            "state": challenge.state,
            "nonce": challenge.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def claims(self, code: str, challenge: Challenge) -> Claims:
        """Return what its token says, proven. Raises `IdentityUnavailable` or `IdentityRefused`."""
        token = await self._redeem(code, challenge)
        given = {"issuer": self._issuer, "client_id": self._client_id, "nonce": challenge.nonce}
        try:
            return prove(token, await self.keys(), **given)
        except KeyUnknown:
            pass
        try:
            if self._clock() - self._new_keys_at >= NEW_KEYS_EVERY_S:
                self._new_keys_at = self._clock()
                return prove(token, await self.keys(anew=True), **given)
        except KeyUnknown:
            pass
        raise IdentityRefused("The identity provider's token is signed with a key that is not its own.")

    async def discover(self) -> Document:
        """Return its discovery document. Raises `IdentityUnavailable`."""
        return await self._document.get(self._ask_document)

    async def keys(self, *, anew: bool = False) -> list[Mapping[str, Any]]:
        """Return its public keys. Raises `IdentityUnavailable`."""
        found = (await self._keys.get(self._ask_keys, anew=anew)).get("keys")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    async def _ask_document(self) -> Document:
        answer = await ask(self._issuer, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        document = answer.body
        if answer.status != 200:
            raise IdentityUnavailable(f"the discovery document has status {answer.status}")
        if document.get("issuer") != self._issuer:
            raise IdentityUnavailable(f"the discovery document is of another issuer than {self._issuer}")
        for name in _ENDPOINTS:
            checked(self._issuer, str(document.get(name, "")))
        return document

    async def _ask_keys(self) -> Document:
        answer = await ask(self._issuer, (await self.discover())["jwks_uri"])
        if answer.status != 200:
            raise IdentityUnavailable(f"the keys have status {answer.status}")
        return answer.body

    async def _redeem(self, code: str, challenge: Challenge) -> str:
        document = await self.discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": challenge.redirect_uri,
            "code_verifier": challenge.verifier,
        }
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        authorization = None
        if self._client_secret and "client_secret_basic" in methods:
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._client_secret)}"
            authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self._client_id}
            form |= {"client_secret": self._client_secret} if self._client_secret else {}
        answer = await ask(self._issuer, document["token_endpoint"], form=form, authorization=authorization)
        if answer.status >= 500:
            raise IdentityUnavailable(f"the token endpoint has status {answer.status}")
        token = answer.body.get("id_token")
        if answer.status != 200 or not isinstance(token, str):
            said = str(answer.body.get("error", f"status {answer.status}"))[:_MOST_TEXT]
            raise IdentityRefused(f"The identity provider does not take its own answer back: {said}. Begin again.")
        return token


class _Remembered:
    """A document for an hour, asked for once however many want it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = float("-inf")
        self._found: Document | None = None
        self._asking = asyncio.Lock()

    async def get(self, ask_for: "Callable[[], Any]", *, anew: bool = False) -> Document:
        """Return it. With the provider away, the one that was there before is as good."""
        async with self._asking:
            if anew or self._found is None or self._clock() - self._at >= REMEMBERED_S:
                try:
                    self._found = await ask_for()
                except IdentityUnavailable:
                    if self._found is None:
                        raise
                self._at = self._clock()
            assert self._found is not None  # noqa: S101 - just set
            return self._found
