"""Every Valkey key of the scheduler, in one place.

All derive from one prefix that carries the shard's hash tag, so a shard lies in one slot of a cluster. The Lua
code gets the prefix as KEYS[1] and appends the same suffixes:

``epoch``            hash    began_ms: when this lifetime of the data began; run, replication: the server process and
                             the line of copies it is of; opens_ms: when grants begin;
                             lease_ms: the longest lease in use; young: leases of before
                             it have not been looked through; clock: the ring's virtual time; closed: being drained;
                             retired: closed for another number of shards, the generation of this one;
                             refills: how often it was opened again, empty
``seq``              string  order of arrival
``job:<id>``         hash    pool, tenant, lane, place, seq, since_ms; while running token, worker, granted_ms,
                             changes (of its pool, at its grant), again, cancel
``leases``           zset    job → expiry, ms
``due``              zset    deferred job → when it is due, ms
``held:t:<tenant>``  set     jobs that hold a slot of the tenant
``held:p:<pool>``    set     jobs that run in the pool
``off:<tenant>``     set     the tenant's deferred jobs
``line:<pool>:<tenant>``  zset  waiting job → order; the interactive lane's lie below zero
``lines:<tenant>``   set     pools in which the tenant has waiting jobs
``tenant:<tenant>``  hash    slots, weight, paused, streak; ``v:<pool>`` its virtual time in the pool; kept: the pool
                             for which its last free slot is kept
``several``          set     tenants that have waiting jobs in more than one pool
``turns:<tenant>``   zset    of those: pool → since when it waits for a slot of the tenant; below zero: a click came
``kept``             zset    tenant that keeps a slot for a pool → until when, ms
``pool:<pool>``      hash    limit, paused, until_ms, cause, clock, v; window, changes, changed_ms, base_ms, base_at;
                             failures, trips, probing; retries
``pools``, ``tenants``  set  those whose limits were set
``full``             set     tenants that wait and have no free slot, or none but the one that is for one pool alone
``rest``             hash    tenant with many pools → where to go on with letting it join or leave their rings
``ring``             zset    runnable pool → virtual time
``ring:<pool>``      zset    runnable tenant → virtual time
``paused``           zset    pool → until when, ms
``idle``             zset    worker that waits → until when it is believed, ms
``wake:<worker>``    list    why a worker is woken
``reply:<worker>``   hash    its last request id and the reply to it
``address:<worker>`` string  where its spool is read
``versions``         hash    library of functions → when it was last called, within an hour
``changed``          channel a hint that the store has new events

One key is of all shards together:

``callspool:layout`` hash    shards: how many there are; generation: when that was decided; seen_ms: when a process that
                             works with so many was last heard
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one shard that Python code names itself."""

    shard: str = "1.0"

    @property
    def prefix(self) -> str:
        """KEYS[1] of every function."""
        return f"callspool:{{{self.shard}}}:"

    @property
    def count(self) -> int:
        """How many shards there are in the layout that this one is of."""
        return int(self.shard.partition(".")[0])

    @property
    def layout(self) -> str:
        """KEYS[1] of the function of that name: it has all shards in common."""
        return "callspool:layout"

    @property
    def epoch(self) -> str:
        """There from the first call on."""
        return f"{self.prefix}epoch"

    @property
    def seq(self) -> str:
        """There from the first job on."""
        return f"{self.prefix}seq"

    @property
    def pools(self) -> str:
        """Those whose limits were set."""
        return f"{self.prefix}pools"

    @property
    def tenants(self) -> str:
        """Those whose limits were set."""
        return f"{self.prefix}tenants"

    def wake(self, worker_id: str) -> str:
        """The list on which a worker blocks."""
        return f"{self.prefix}wake:{worker_id}"

    @property
    def changed(self) -> str:
        """The bulletin's channel."""
        return f"{self.prefix}changed"
