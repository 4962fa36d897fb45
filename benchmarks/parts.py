"""What docs/benchmarks.md says of each workload; its numbers come from the results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks import slots


@dataclass(frozen=True, slots=True)
class Part:
    """One workload: what the page says of it, its figures, and those that are drawn with their bound."""

    title: str
    words: str
    figures: tuple[str, ...]
    drawn: Mapping[str, tuple[float, str] | None]
    bound: str = ""
    """What bounds it, by a profile: said below the table, where a bar does not hold or the bound is near."""


SLOTS: Final = (
    Part(
        "W1: a skewed drain",
        "Tenant 0 has 200 jobs, 19 tenants have 10 each, put in in that order before the worker starts. A job holds "
        "its slot for 50 ms, a tenant has 3 slots, the worker 32 seats. The slots alone allow 200 x 0.05 / 3 = "
        "3.33 s. While all 20 tenants are busy a fair share of 32 seats is 1.6 for each, so with 32 seats the fair "
        "bound is 3.48 s. The clock runs from the first job's start. A small tenant is one with at most 10 jobs; its "
        "wait is from the first start of all to its own. Processor time is that of worker and server from the first "
        "start to the last end.",
        ("w1.makespan", "w1.small_wait", "w1.small_wait_p95", "w1.wasted_tries", "w1.most_at_once", "w1.cpu"),
        {"w1.makespan": (3.48, "fair bound 3.48 s"), "w1.small_wait": None, "w1.cpu": None},
    ),
    Part(
        "W1 with 64 seats",
        "The same with seats for all: the bound is 3.33 s.",
        ("w1-64.makespan",),
        {"w1-64.makespan": (10 / 3, "physical bound 3.33 s")},
    ),
    Part(
        "W1b: uneven jobs, uneven tenants",
        "About 400 jobs of 30 tenants by Zipf's law, the large tenants' first, with log-normal services (median "
        "41 ms, at most 0.6 s), 32 seats. The bound is what slots, seats and the longest job allow, whatever the "
        "order.",
        ("w1b.makespan", "w1b.small_wait", "w1b.small_wait_p95", "w1b.wasted_tries", "w1b.most_at_once", "w1b.cpu"),
        {"w1b.makespan": (1.0, "bound"), "w1b.small_wait": None},
    ),
    Part(
        "W2: jobs without work",
        "5,000 jobs that do nothing, of 1,000 tenants, put in before one worker process with 64 seats starts. "
        "callspool holds every tenant to its slots; the peers are spared their limits first, and held to them in the "
        "column *with limits*. callspool's process has two loops of 32 seats each, so that the jobs of one run while "
        "the other's turn is under way; pgqueuer, set up so, gained nothing, and has one. Submits are measured "
        "twice: by the fastest way that the subject offers (one call for many, where it has one), and one after the "
        "other, each with a call of its own. With 1,000 seats, which no worker with real work has, pgqueuer is "
        "measured too, since it gains by it.",
        ("w2.jobs", "w2-limited.jobs", "w2-wide.jobs", "w2.submits", "w2-singly.submits"),
        {"w2.jobs": None, "w2-limited.jobs": None, "w2.submits": None, "w2-singly.submits": None},
    ),
    Part(
        "W3: kill -9",
        "The worker runs 8 jobs and is killed with signal 9 while another worker is idle. The time is from the kill "
        "until all 8 run again. callspool's lease is set to 5 s; the peers have their default limits, and are given "
        "150 s.",
        ("w3.recovery",),
        {"w3.recovery": (6.0, "lease time and 1 s")},
    ),
    Part(
        "Hand-off",
        "4 tenants keep their 3 slots busy with jobs of 40 to 60 ms, while 20 of 32 seats are free. The time is from "
        "a job's end to the start of the one that gets its slot.",
        ("handoff.p50", "handoff.p99"),
        {"handoff.p50": (2.0, "2 ms"), "handoff.p99": (10.0, "10 ms")},
    ),
    Part(
        "Growth",
        "The time that the server itself takes for one submit (by batches of 500), one call that claims one job, and "
        "one that settles one, as tenants and queued jobs become many; and the memory that a queued job takes. Only "
        "callspool.",
        tuple(name for one in slots.EXPERIMENTS if one.name == "growth" for name in one.titles),
        {},
    ),
    Part(
        "Refill",
        "After a loss of Valkey's data the reconciler puts 20,000 queued recordings of 20 tenants back from the store "
        "(SQLite): read, submitted, in their tenants' lines. Only callspool: no peer has anything to fill from.",
        ("refill.jobs",),
        {},
    ),
)

DATAPATH: Final = (
    Part(
        "Click to sound",
        "The provider needs 100 ms to its first byte and sends 4 MB/s; a recording has 30 s of two channels (960 kB). "
        "A click is a play request by a signed link for a recording that nobody has fetched, on an idle system: API, "
        "scheduler, worker, and the relay between them. The provider itself is asked for the same just before each "
        "click, and what callspool adds is the difference of the two. The old way, with the same provider: a worker "
        "downloads the whole and the player asks every 2 to 5 s whether it is there; its checks and requests are taken "
        "as free.",
        ("click-to-sound.first", "click-to-sound.first_p95", "click-to-sound.added", "click-to-sound.added_p95"),
        {"click-to-sound.first": (100.0, "the provider's own")},
    ),
    Part(
        "Ranges",
        "64 KB at random places of one recording of 9.6 MB, over kept connections. callspool is one API process that "
        "checks a signed link; nginx is one worker on the same file, and checks nothing. The process that asks is the "
        "same for both and faster than either: the kernel throws away the bodies for it, after the first answer of "
        "each connection was compared with the file. First bytes are those of a single player.",
        ("ranges.rate", "ranges.of_nginx", "ranges.first_byte", "ranges.first_byte_p99"),
        {"ranges.rate": None, "ranges.first_byte_p99": (5.0, "5 ms")},
    ),
    Part(
        "The whole of a recording",
        "The same recording from its first byte to its last, as a player asks for it at the beginning (`bytes=0-`), "
        "one after the other over one kept connection.",
        ("ranges.whole", "ranges.whole_of_nginx"),
        {"ranges.whole": None},
    ),
    Part(
        "Ranges from object storage",
        "The same 64 KB ranges with the vault in a bucket, on SeaweedFS on this machine; each is one request to it. "
        "Beside it the storage itself, asked for the same by an address that was signed beforehand: nothing that reads "
        "from it can be faster. And the whole of the recording, as one request.",
        ("ranges-s3.rate", "ranges-s3.of_storage", "ranges-s3.whole"),
        {"ranges-s3.rate": None, "ranges-s3.whole": None},
    ),
    Part(
        "One download of 100 MB",
        "From a provider that sends by sendfile from another process, through the provider's module, the limits and "
        "the spool, hashed and durable. Beside it the same Python that reads, hashes, writes and syncs a local file; "
        "the shell's pipeline, which does not sync; and the same code with the client that stands in reserve. Memory "
        "is the most that was resident in the process.",
        (
            "download.large.rate",
            "download.large.of_limit",
            "download.large.of_curl",
            "download.large.cpu",
            "download.large.memory",
            "download.large.growth",
        ),
        {"download.large.rate": None, "download.large.cpu": (1.5, "1.5 CPU s/GB")},
        bound="The processor time is bounded by what no download can leave out: the local file, which is only read, "
        "hashed, written and synced, takes most of it in the same run. What callspool adds is receiving from a "
        "socket. Bytes are written as soon as they are hashed, while the processor has them in its cache.",
    ),
    Part(
        "32 downloads of 1 MB at once",
        "The same with many small ones; the local files are read, hashed, written and synced one after the other.",
        ("download.many.rate", "download.many.of_limit", "download.many.memory"),
        {"download.many.rate": None},
    ),
    Part(
        "Proof of an hour",
        "An hour of a call with two channels, as WAV (115 MB) and as MP3, from its last byte until it is `ready`: "
        "synced, every frame decoded in a process of its own, peaks drawn in the same pass, put into the vault, "
        "committed. The processor time is that of the worker and the process that proves. Beside it, decoding alone "
        "by the same library, of which no proof can take less.",
        ("proof.wav", "proof.wav_time", "proof.mp3", "proof.mp3_time"),
        {"proof.mp3": (1.5, "1.5 CPU s")},
        bound="More than half of the MP3's time is decoding alone, measured in the same run; the rest is for the peaks "
        "of both channels, the heads of all frames, and the vault.",
    ),
)

PLAYER: Final = (
    Part(
        "Twenty timelines of a call",
        "Of 184 s with two channels, from peaks that are there already, in one Chromium, in turns. callspool is the "
        "player's own canvas with its pointer, its loop and its reading of peaks; wavesurfer.js has the plug-in for "
        "regions, which a loop needs. Both are bundled and compressed by the same tools. The decision that rests on it "
        "is [adr/0007](adr/0007-the-players-own-waveform.md).",
        ("drawing.bytes", "drawing.made", "drawing.painted"),
        {"drawing.painted": None},
    ),
)
