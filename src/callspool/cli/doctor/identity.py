"""Whether people can sign in with the identity provider, where one is set."""

from collections.abc import Sequence

from callspool.cli.doctor.finding import Finding
from callspool.domain.errors import IdentityUnavailable
from callspool.wiring import Parts, open_identity

_CHECK = "identity provider"


async def identity(parts: Parts) -> Sequence[Finding]:
    """Ask for its discovery document and keys; look whether anybody is let in, and for tenants that are here."""
    provider = open_identity(parts.settings)
    if provider is None:
        return []
    try:
        keys = await provider.keys()
    except IdentityUnavailable as error:
        todo = "Check the way there and CALLSPOOL_OIDC_ISSUER, which is written as in its discovery document."
        return [Finding(_CHECK, "error", f"{provider.issuer}: {error}", todo)]
    if not keys:
        return [Finding(_CHECK, "error", f"{provider.issuer} has no keys", "Nothing that it signs can be proven.")]
    grants = parts.settings.admission.grants
    if not grants:
        return [Finding(_CHECK, "warning", "it lets nobody in", "Say who may do what: CALLSPOOL_OIDC_GRANTS.")]
    there = {tenant.id for tenant in await parts.store.tenants()}
    if missing := sorted({one.tenant_id for one in grants if one.tenant_id and one.tenant_id not in there}):
        todo = "callspool tenants add NAME, or correct CALLSPOOL_OIDC_GRANTS."
        return [Finding(_CHECK, "warning", f"there is no tenant {missing[0]}", todo)]
    return [Finding(_CHECK, "ok", f"{provider.issuer} answers; keys: {len(keys)}")]
