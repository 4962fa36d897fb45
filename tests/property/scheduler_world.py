"""The real scheduler and its model side by side, with the workers that hold its leases and the two clocks they go by.

Every call is made to both. The server's clock stands still unless a step moves it, so each date is known to the
millisecond; the workers' monotonic clocks only go on.
"""

from collections import Counter
from collections.abc import Iterable

from tests.fixtures.nodes import Clocked
from tests.fixtures.raw import End, Grant, Raw, Request
from tests.model.hands import Hands, Unheard
from tests.model.lifetime import HALF_MS, LEASE_MS
from tests.model.scheduler import Model

POOLS = ["p0", "p1"]
TENANTS = ["t0", "t1", "t2"]
JOBS = [f"j{n}" for n in range(60)]
WORKERS = ["w0", "w1", "w2"]
BYSTANDER = "bystander"
"""A worker that calls as all do, and never has room."""
BEGINNING_MS = 1_800_000_000_000
LATER_MS = 600_000

HOME = {job: (POOLS[n % 2], TENANTS[n % 3]) for n, job in enumerate(JOBS)}
"""A job's id is its whole payload: pool and tenant go with it."""


class World:
    """Both schedulers, three workers, and the leases that nobody trusts any more."""

    def __init__(self, raw: Raw, server: Clocked) -> None:
        self.raw = raw
        self.server = server
        self.model = Model()
        self.hands = {worker: Hands() for worker in WORKERS}
        self.stale: list[tuple[str, Grant]] = []
        """What a worker held that died, or was frozen, or could not renew in time."""
        self.real = 0
        """What has really passed, in ms: what monotonic clocks show."""
        self.ahead = 0
        """How far the server's clock was set ahead."""
        self.requests = 0
        self.raw.client.flushall()
        self.go_on(0)

    # --- time ----------------------------------------------------------------------------------------

    def go_on(self, ms: int) -> None:
        """Let time pass, of which nobody hears anything yet."""
        self.real += ms
        self.model.now = BEGINNING_MS + self.real + self.ahead
        self.server.stop_clock(self.model.now, self.raw.client)
        # What has run out by its clock is gone now, not when the server happens to look.
        self.raw.client.exists(*(self.raw.key(f"reply:{worker}") for worker in WORKERS))
        for hands in self.hands.values():
            if hands.unheard is not None:
                hands.unheard.forget_after(self.model.now)

    def set_clock(self, by_ms: int) -> None:
        """Set the server's clock forward or back."""
        self.ahead += by_ms
        self.go_on(0)

    def live(self, ms: int, silent: Iterable[str] = ()) -> None:
        """Let time pass as it does where workers live: all but the *silent* renew three times in a lease time."""
        while ms > 0:
            part = min(ms, LEASE_MS // 3)
            self.go_on(part)
            ms -= part
            for worker in WORKERS:
                if worker not in silent:
                    self.heartbeat(worker)
            self.ask(BYSTANDER, 0)

    def live_through_the_wait(self, silent: Iterable[str] = ()) -> None:
        """Let time pass until something may be granted."""
        self.live(self.model.lifetime.opens - self.model.now, silent)

    # --- calls ---------------------------------------------------------------------------------------

    def call_epoch(self) -> None:
        """Call, and ask for nothing."""
        self.raw.call("epoch")
        self.model.hear()

    def ask(self, worker: str, room: int, ends: tuple[End, ...] = ()) -> tuple[Request, tuple[Grant, ...]]:
        """Take a turn; no grant may let more be under way than slots and limits allow."""
        self.requests += 1
        request = Request(f"r{self.requests}", worker, room, ends)
        return request, self.send(request, ends)

    def send(self, request: Request, ends: tuple[End, ...]) -> tuple[Grant, ...]:
        """Send a turn that the server has not done yet; to it, *ends* ended."""
        due_ms, grants = self.raw.turn(request)
        assert due_ms == self.model.turn(ends, request.room, grants)
        if grants:
            self.check_under_way(grants)
        return grants

    def check_under_way(self, granted: tuple[Grant, ...]) -> None:
        """I1, by the clocks of those who do the work: it does not ask what the scheduler believes of them."""
        under_way = {grant for hands in self.hands.values() for grant in hands.under_way(self.real)} | set(granted)
        of_tenant = Counter(grant.tenant for grant in under_way)
        of_pool = Counter(grant.pool for grant in under_way)
        for grant in granted:
            slots, limit = self.model.tenant(grant.tenant).slots, self.model.pool(grant.pool).limit
            assert of_tenant[grant.tenant] <= slots, f"{of_tenant[grant.tenant]} under way, {slots} slots"
            assert of_pool[grant.pool] <= limit, f"{of_pool[grant.pool]} under way, the limit is {limit}"

    def look_at_its_clock(self, worker: str) -> list[Grant]:
        """Have a worker stop what it cannot trust any more; return what it works on."""
        hands = self.hands[worker]
        self.stale += [(worker, grant) for grant in hands.drop_untrusted(self.real)]
        return list(hands.trusted_until)

    def turn(self, worker: str, room: int, ends: tuple[End, ...], *, reply_lost: bool = False) -> None:
        """Take a worker's turn; what it has not heard yet, it asks for first."""
        self.hear(worker)
        hands = self.hands[worker]
        tokens = {end.token for end in ends}
        hands.drop([grant for grant in hands.trusted_until if grant.token in tokens])
        request, grants = self.ask(worker, room, ends)
        if reply_lost:
            is_kept = bool(grants or ends)  # one that did nothing is done again when it comes again
            hands.unheard = Unheard(request, grants, self.real, self.model.now + LEASE_MS if is_kept else None)
        else:
            hands.take(grants, self.real)

    def hear(self, worker: str) -> None:
        """Ask again what was not answered; what was asked for longer than a lease time ago is given up."""
        hands = self.hands[worker]
        lost, hands.unheard = hands.unheard, None
        if lost is None:
            return
        if self.real - lost.sent_at >= LEASE_MS:
            self.give_up(lost)
            return
        if lost.is_kept:
            _, grants = self.raw.turn(lost.request)
            assert grants == lost.grants
        else:
            grants = self.send(lost.request, lost.request.ends)
        hands.take(grants, lost.sent_at)

    def give_up(self, lost: Unheard) -> None:
        """Settle again; what was granted goes back, and nothing is granted when the old request still comes."""
        self.requests += 1
        request = Request(f"r{self.requests}", lost.request.worker, 0, lost.request.ends, instead=lost.request.id)
        granted = lost.grants if lost.is_kept else ()
        self.send(request, request.ends + tuple(End(grant.job, grant.token, "defer") for grant in granted))
        assert self.raw.turn(lost.request) == (-1, ())

    def heartbeat(self, worker: str) -> None:
        """Renew what it trusts: none of that may be lost."""
        held = self.look_at_its_clock(worker)
        if held:
            verdicts = self.raw.renew(worker, held)
            assert verdicts == self.model.renew(held)
            assert "lost" not in verdicts
            self.hands[worker].take(held, self.real)

    def reach_everyone(self) -> None:
        """Have every worker hear what was not answered, and renew."""
        for worker in WORKERS:
            self.hear(worker)
            self.heartbeat(worker)

    def is_seen(self, by_ms: int) -> bool:
        """Say whether the scheduler can tell such a step of the clock from time that passes."""
        return abs(by_ms) > HALF_MS


def ended(grant: Grant, how: str) -> End:
    """Return how a worker ends a job."""
    match how:
        case "good":
            return End(grant.job, grant.token, signal="ok", latency_ms=60)
        case "quick":
            return End(grant.job, grant.token, signal="ok", latency_ms=40)
        case "slow":
            return End(grant.job, grant.token, signal="ok", latency_ms=5_000)
        case "throttled":
            return End(grant.job, grant.token, "defer", 1_000, 0, "throttled")
        case "told to wait":
            return End(grant.job, grant.token, "defer", 1_000, 20_000, "throttled")
        case "failed":
            return End(grant.job, grant.token, "defer", 1_000, 0, "failed")
        case "refused":
            return End(grant.job, grant.token, "defer", 1_000, LATER_MS, "refused")
        case "later":
            return End(grant.job, grant.token, "defer", LATER_MS)
        case "back":
            return End(grant.job, grant.token, "defer")
    return End(grant.job, grant.token)
