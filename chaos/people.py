"""What the provider and people do meanwhile: calls, plays, cancels, retries, limits, and a look where one must not."""

import asyncio
import hashlib
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import httpx

from callspool.simulator import Recording
from chaos.evidence import Heard, Limit, Peek
from chaos.plan import ALONE, TENANTS, Call, Step
from chaos.system import SIDS, System

_PEEKS: Final = ("", "/why", "/audio", "/waveform")
_ACTS: Final = ("playback", "fetch", "cancel", "retry")
_MANY: Final = 20


class People:
    """Does the deeds of the plan and notes what was answered. An answer that does not come is no news."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._made: list[Recording] = []
        self.limits = [Limit(tenant, slots, 0.0, 0.0) for tenant, slots in TENANTS.items()]
        self.heard: list[Heard] = []
        self.peeks: list[Peek] = []

    async def call(self, call: Call) -> None:
        """Have the provider record a call and tell of it."""
        account = "alone" if call.tenant == ALONE else "busy"
        made = self._system.simulator.add_recording(
            account_sid=SIDS[account],
            tag=call.tenant,
            duration_s=call.duration_s,
            seed=call.seed,
            rate=call.rate,
            faults=call.faults,
            callback_faults=call.callback_faults,
        )
        self._made.append(made)
        await self._system.simulator.announce(
            made, self._system.webhook(call.tenant, account), events=["in-progress", "completed"]
        )

    async def do(self, step: Step) -> None:
        """Do what a person does."""
        with suppress(httpx.HTTPError):
            if step.action == "limit":
                await self.set_limit(step.part, step.value)
            elif self._made:
                made = self._made[-1 - step.target % len(self._made)]
                if (found := await self._find(made)) is not None:
                    await self._ask(step, made, found)

    async def set_limit(self, tenant: str, slots: int) -> None:
        """Change a tenant's slots."""
        asked = monotonic()
        # It may have had its effect even where no answer comes.
        self.limits.append(Limit(tenant, slots, asked, float("inf")))
        place = len(self.limits) - 1
        await self._system.http.patch(f"/api/tenants/{tenant}", json={"slots": slots}, headers=self._key(""))
        self.limits[place] = Limit(tenant, slots, asked, monotonic())

    async def ask_for_list(self, since: str) -> str | None:
        """Let the account of the tenant that is alone be listed; return the backfill's id, or None: no answer."""
        wish = {"account_id": "alone", "since": since}
        with suppress(httpx.HTTPError):
            answer = await self._system.http.post("/api/backfills", json=wish, headers=self._key(""))
            return str(answer.json()["id"]) if answer.status_code == 202 else None
        return None

    async def _find(self, made: Recording) -> dict[str, Any] | None:
        answer = await self._system.http.get(
            "/api/recordings", params={"provider_recording_id": made.sid}, headers=self._key("")
        )
        found = answer.json()["recordings"] if answer.status_code == 200 else []
        return found[0] if found else None

    async def _ask(self, step: Step, made: Recording, found: dict[str, Any]) -> None:
        place, mine = f"/api/recordings/{found['id']}", self._key(made.tag)
        match step.action:
            case "play":
                await self._play(made, place, mine)
            case "fetch" | "cancel" | "retry":
                await self._system.http.post(f"{place}/{step.action}", headers=mine)
            case "peek":
                others = [name for name in TENANTS if name != made.tag]
                await self._peek(made, place, others[step.value % len(others)])

    async def _play(self, made: Recording, place: str, key: dict[str, str]) -> None:
        digest, whole, status = hashlib.sha256(), False, 0
        try:
            async with asyncio.timeout(20), self._system.http.stream("GET", f"{place}/audio", headers=key) as answer:
                status = answer.status_code
                async for block in answer.aiter_raw():
                    digest.update(block)
                whole = True
        except (httpx.HTTPError, TimeoutError):
            pass
        self.heard.append(Heard(made.sid, status, digest.hexdigest(), whole))

    async def peek_at_all(self) -> None:
        """Ask for many recordings with another tenant's key, when every part answers."""
        for made in self._made[-_MANY:]:
            if (found := await self._find(made)) is not None:
                tenant = next(name for name in TENANTS if name != made.tag)
                await self._peek(made, f"/api/recordings/{found['id']}", tenant)

    async def _peek(self, made: Recording, place: str, tenant: str) -> None:
        """Ask with another tenant's key, do what only its own may do, and look into that tenant's list."""
        key = self._key(tenant)
        for path in (f"{place}{part}" for part in _PEEKS):
            answer = await self._system.http.get(path, headers=key)
            self.peeks.append(Peek(path, answer.status_code, _tells(answer.text, made)))
        for path in (f"{place}/{act}" for act in _ACTS):
            answer = await self._system.http.post(path, headers=key)
            self.peeks.append(Peek(path, answer.status_code, _tells(answer.text, made)))
        listed = await self._system.http.get("/api/recordings", params={"q": made.call_sid}, headers=key)
        self.peeks.append(Peek(f"the list of {tenant}", 404, _tells(listed.text, made)))

    def _key(self, tenant: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._system.keys[tenant]}"}


def _tells(text: str, made: Recording) -> str:
    """Return what of a recording stands in a text."""
    return next((word for word in (made.sid, made.call_sid) if word in text), "")
