"""Tenants, accounts and keys, on both engines; and that nobody who steals the database has the credentials."""

import asyncio
import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from callspool.domain.audit import By
from callspool.domain.errors import Conflict, Misconfigured, NotFound
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.keys import hash_key, new_key
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.tenant import MediaFormat, PrivateKey, Scope, Tenant
from callspool.store import connect
from tests.fixtures.databases import ACME, MAIN, OTHER, Database, SetClock
from tests.fixtures.made import RE, account

NOBODY = TenantId("nobody")


async def test_tenant_is_returned_as_it_was_given_and_replaced_whole(store: Store) -> None:
    made = Tenant(TenantId("third"), "Third & Söhne", slots=7, weight=2.5, paused=True)
    await store.add_tenant(made)
    assert await store.tenant(made.id) == made

    changed = Tenant(made.id, "Third", slots=1, weight=0.1)
    await store.set_tenant(changed)

    assert await store.tenant(made.id) == changed
    assert [tenant.id for tenant in await store.tenants()] == [ACME, OTHER, made.id]


async def test_tenants_and_accounts_that_are_there_or_not_are_told_apart(store: Store) -> None:
    with pytest.raises(Conflict, match="acme"):
        await store.add_tenant(Tenant(ACME, "Again"))
    with pytest.raises(Conflict, match="main"):
        await store.add_account(account())
    with pytest.raises(NotFound, match="nobody"):
        await store.set_tenant(Tenant(NOBODY, "Nobody"))
    with pytest.raises(NotFound, match="nobody"):
        await store.tenant(NOBODY)
    with pytest.raises(NotFound, match="nobody"):
        await store.add_account(account(id=AccountId("new"), default_tenant=NOBODY))
    with pytest.raises(NotFound, match="nobody"):
        await store.set_account(account(default_tenant=NOBODY))
    with pytest.raises(NotFound, match="new"):
        await store.set_account(account(id=AccountId("new")))
    with pytest.raises(NotFound, match="new"):
        await store.account(AccountId("new"))

    assert (await store.tenant(ACME)).name == "Acme"
    assert await store.accounts() == [account()]


async def test_account_is_returned_as_it_was_given_and_replaced_whole(store: Store) -> None:
    full = account(
        id=AccountId("full"),
        default_tenant=OTHER,
        previous_auth_token="the-old-token",
        api_key="SK" + "1" * 32,
        api_secret="sécret",
        base_url="http://127.0.0.1:9",
        limit=3,
        paused=True,
        media_format=MediaFormat.MP3,
        private_keys=(PrivateKey("CR" + "1" * 32, "pem one"), PrivateKey("CR" + "2" * 32, "pem two")),
        by_number=True,
        signing_key="a signing key",
        previous_signing_key="an older one",
        media_host="recordings.s3.eu-west-1.amazonaws.com",
    )
    await store.add_account(full)
    assert await store.account(full.id) == full

    await store.set_account(account(id=full.id))

    assert await store.account(full.id) == account(id=full.id)
    assert await store.accounts() == [account(id=full.id), account()]


async def test_account_is_removed_unless_recordings_need_it(store: Store) -> None:
    await store.add_account(account(id=AccountId("idle")))
    begun = datetime(2026, 11, 22, tzinfo=UTC)
    await store.add_backfill(AccountId("idle"), begun, begun + timedelta(days=1), dry_run=True)
    await store.record(Notice(MAIN, ACME, RE, None, ProviderStatus.COMPLETED), actor="webhook")

    await store.remove_account(AccountId("idle"), by=By("cli:dana"))

    assert await store.accounts() == [account()]
    newest = (await store.audit_log(None, limit=1))[0]
    assert (newest.action, newest.target, newest.actor) == ("account.remove", "idle", "cli:dana")
    with pytest.raises(NotFound):
        await store.remove_account(AccountId("idle"))
    with pytest.raises(Conflict, match="pause it instead"):
        await store.remove_account(MAIN)


SECRETS = ("canary-token-1", "canary-token-0", "canary-secret", "canary-pem", "canary-key-1", "canary-key-0")


async def test_stolen_database_holds_no_credential(database: Database, store: Store) -> None:
    token, previous, secret, pem, signing_key, old_key = SECRETS
    await store.set_account(
        account(
            auth_token=token,
            previous_auth_token=previous,
            api_key="SK1",
            api_secret=secret,
            private_keys=(PrivateKey("CR1", pem),),
            signing_key=signing_key,
            previous_signing_key=old_key,
        )
    )
    key, text = new_key(ACME, "laptop", now=SetClock().now(), randomness=bytes(range(40)))
    await store.add_key(key)

    dump = database.dump()

    assert "SK1" in dump  # the dump does show what is not secret
    for canary in (*SECRETS, text, text.rsplit("_", 1)[1]):
        for form in (canary, canary.encode().hex(), base64.b64encode(canary.encode()).decode().rstrip("=")):
            assert form not in dump


async def test_sealed_credential_opens_only_in_its_own_place(database: Database, store: Store) -> None:
    await store.add_account(account(id=AccountId("second"), auth_token="of-the-second", api_secret="s"))

    database.execute(
        "UPDATE accounts SET auth_token = (SELECT auth_token FROM accounts WHERE id = 'second') WHERE id = 'main'"
    )
    database.execute("UPDATE accounts SET auth_token = api_secret WHERE id = 'second'")

    for name in ("main", "second"):
        with pytest.raises(Misconfigured, match="auth_token"):
            await store.account(AccountId(name))


async def test_another_secret_key_is_refused_at_once_and_says_what_to_do(database: Database, store: Store) -> None:
    with pytest.raises(Misconfigured, match="CALLSPOOL_SECRET_KEY_FILE"):
        await connect(database.url, clock=SetClock(), secret_key=bytes(32))

    assert (await store.account(MAIN)).auth_token == "the-token"


async def test_key_is_known_by_its_hash_until_it_is_revoked(store: Store, clock: SetClock) -> None:
    key, text = new_key(ACME, "laptop", now=clock.now(), randomness=bytes(range(40)))
    operators, _ = new_key(None, "cli", now=clock.now() + timedelta(seconds=1), randomness=bytes(range(1, 41)))
    await store.add_key(operators)
    await store.add_key(key)

    assert await store.key_by_hash(hash_key(text)) == key
    assert await store.key_by_hash(hash_key("cs_another")) is None
    assert await store.keys() == [key, operators]

    clock.pass_by(timedelta(minutes=1))
    revoked = await store.revoke_key(key.id)
    clock.pass_by(timedelta(minutes=1))

    assert revoked == dataclasses.replace(key, revoked_at=clock.now() - timedelta(minutes=1))
    assert await store.revoke_key(key.id) == revoked
    assert await store.key_by_hash(hash_key(text)) is None
    assert await store.keys() == [revoked, operators]


async def test_key_has_its_scopes_and_ends_with_its_time(store: Store, clock: SetClock) -> None:
    end = clock.now() + timedelta(days=1)
    few = frozenset({Scope.READ, Scope.PLAY})
    key, text = new_key(ACME, "crm", now=clock.now(), randomness=bytes(range(40)), scopes=few, expires_at=end)
    await store.add_key(key)
    assert await store.key_by_hash(hash_key(text)) == key

    clock.pass_by(timedelta(days=1) - timedelta(seconds=1))
    assert await store.key_by_hash(hash_key(text)) == key
    clock.pass_by(timedelta(seconds=1))
    assert await store.key_by_hash(hash_key(text)) is None
    assert await store.keys() == [key]


async def test_key_of_an_unknown_tenant_and_unknown_keys_are_not_found(store: Store, clock: SetClock) -> None:
    key, _ = new_key(NOBODY, "laptop", now=clock.now(), randomness=bytes(40))

    with pytest.raises(NotFound, match="nobody"):
        await store.add_key(key)
    with pytest.raises(NotFound, match=key.id):
        await store.revoke_key(key.id)


async def test_same_key_twice_is_a_conflict(store: Store, clock: SetClock) -> None:
    key, _ = new_key(ACME, "laptop", now=clock.now(), randomness=bytes(40))
    await store.add_key(key)

    with pytest.raises(Conflict, match=key.id):
        await store.add_key(key)


# --- changes in place --------------------------------------------------------------------------------


async def test_what_is_adjusted_changes_and_the_rest_stays(store: Store) -> None:
    before, account_before = await store.tenant(ACME), await store.account(MAIN)

    assert await store.adjust_tenant(ACME, slots=0) == dataclasses.replace(before, slots=0)
    assert await store.adjust_tenant(ACME, weight=2.5, paused=True) == dataclasses.replace(
        before, slots=0, weight=2.5, paused=True
    )
    assert await store.adjust_tenant(ACME) == await store.tenant(ACME)
    assert await store.adjust_account(MAIN, limit=7) == dataclasses.replace(account_before, limit=7)
    assert await store.adjust_account(MAIN, paused=True) == dataclasses.replace(account_before, limit=7, paused=True)
    assert await store.account(MAIN) == dataclasses.replace(account_before, limit=7, paused=True)


async def test_a_tenants_own_origins_are_kept_changed_and_taken_back(store: Store) -> None:
    pages = ("https://crm.example", "http://localhost:3000")
    assert await store.origins() == {}
    before = await store.tenant(ACME)

    assert await store.adjust_tenant(ACME, allowed_origins=pages) == dataclasses.replace(before, allowed_origins=pages)
    assert (await store.adjust_tenant(ACME, slots=7)).allowed_origins == pages
    assert await store.origins() == {ACME: pages}
    assert [one.allowed_origins for one in await store.tenants() if one.id == ACME] == [pages]
    await store.set_tenant(dataclasses.replace(before, allowed_origins=pages[:1]))
    assert await store.origins() == {ACME: pages[:1]}
    assert (await store.adjust_tenant(ACME, allowed_origins=())).allowed_origins == ()
    assert await store.origins() == {}


async def test_adjustments_at_once_are_all_kept(store: Store) -> None:
    await asyncio.gather(
        store.adjust_tenant(ACME, slots=9),
        store.adjust_tenant(ACME, weight=3.0),
        store.adjust_tenant(ACME, paused=True),
    )

    tenant = await store.tenant(ACME)
    assert (tenant.slots, tenant.weight, tenant.paused) == (9, 3.0, True)


async def test_what_does_not_exist_cannot_be_adjusted(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.adjust_tenant(TenantId("nobody"), slots=1)
    with pytest.raises(NotFound):
        await store.adjust_account(AccountId("none"), limit=1)
