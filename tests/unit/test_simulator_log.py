"""The provider's own log: what the invariants are measured by must itself be right."""

import asyncio
import socket

import httpx
import pytest

from callspool.simulator import Entry, Recording, Simulator, bytes_sent, downloads, highest_concurrency, whole_downloads
from tests.fixtures.simulator import basic, hear, media_path, wait_until


def entry(number: int, start: float, end: float | None, tag: str = "acme", **given: object) -> Entry:
    """Return a download of the log."""
    made = Entry(number, "GET", "/", start, kind="media", account_sid="AC", recording_sid=f"RE{number}", tag=tag)
    made.end = end
    for name, value in given.items():
        setattr(made, name, value)
    return made


def test_highest_concurrency_counts_what_overlaps() -> None:
    entries = [
        *(entry(1, 0, 10), entry(2, 1, 2), entry(3, 2, 9), entry(4, 5, None), entry(5, 0, 10, tag="bravo")),
        Entry(6, "GET", "/list", 0, end=10, tag="acme"),
    ]
    assert highest_concurrency(entries, "tag") == {"acme": 3, "bravo": 1}
    assert highest_concurrency(entries, "account_sid") == {"AC": 4}


def test_download_that_follows_at_the_same_moment_does_not_overlap() -> None:
    assert highest_concurrency([entry(1, 0, 5), entry(2, 5, 6), entry(3, 6, None)], "tag") == {"acme": 1}


def test_download_that_was_broken_off_can_count_a_little_less() -> None:
    entries = [entry(1, 0, 5), entry(2, 4.9, 6)]
    assert highest_concurrency(entries, "tag", broken_s=0.2) == {"acme": 1}
    entries[0].whole = True
    assert highest_concurrency(entries, "tag", broken_s=0.2) == {"acme": 2}


def test_frozen_client_can_be_left_out() -> None:
    entries = [entry(1, 0, None, last_sent=1.0), entry(2, 4, 5), entry(3, 1.5, 2)]
    assert highest_concurrency(entries, "tag") == {"acme": 2}
    assert highest_concurrency(entries, "tag", idle_after_s=1.0) == {"acme": 2}
    assert highest_concurrency([entries[0], entries[1]], "tag", idle_after_s=1.0) == {"acme": 1}


async def test_log_knows_how_many_ran_at_once_and_what_was_sent(simulator: Simulator) -> None:
    account = simulator.add_account()
    made = [
        simulator.add_recording(account_sid=account.sid, tag=tag, duration_s=0.5, rate=20_000)
        for tag in ("acme", "acme", "acme", "bravo")
    ]
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        got = await asyncio.gather(*(client.get(media_path(recording)) for recording in made))
        await client.get(media_path(made[3]))
    entries = simulator.log.entries
    assert highest_concurrency(entries, "tag") == {"acme": 3, "bravo": 1}
    assert highest_concurrency(entries, "account_sid") == {account.sid: 4}
    assert max(item.tag_concurrency for item in entries) == 3
    assert max(item.account_concurrency for item in entries) == 4
    assert whole_downloads(entries) == {**{recording.sid: 1 for recording in made[:3]}, made[3].sid: 2}
    assert bytes_sent(entries, "tag") == {"acme": 3 * len(got[0].content), "bravo": 2 * len(got[3].content)}
    assert all(item.end is not None and item.start < item.end for item in entries)
    assert [Entry.from_json(values) for values in simulator.log.as_json()] == entries


async def test_what_a_client_does_after_it_left_does_not_overlap_however_late_it_is_read(simulator: Simulator) -> None:
    account = simulator.add_account()
    left, next_one = (
        simulator.add_recording(account_sid=account.sid, tag="acme", fault="stall:0.01") for _ in range(2)
    )
    host, port = simulator.url.removeprefix("http://").split(":")
    heads = [
        "\r\n".join([f"GET {path} HTTP/1.1", f"Authorization: {basic(account)['Authorization']}", "", ""]).encode()
        for path in (media_path(left), "/nothing", media_path(next_one))
    ]
    with socket.create_connection((host, int(port))) as first, socket.create_connection((host, int(port))) as second:
        first.sendall(heads[0])
        second.sendall(heads[1])  # a connection that is kept for later
        await wait_until(lambda: sum(entry.sent > 0 for entry in simulator.log.entries) == 2)
        # The provider sleeps, as on a busy machine, while a download is broken off and then another one begun.
        first.shutdown(socket.SHUT_RDWR)
        second.sendall(heads[2])
        await wait_until(lambda: len(simulator.log.entries) == 3)

        assert highest_concurrency(simulator.log.entries, "tag") == {"acme": 1}


@pytest.mark.parametrize("fault", ["drip:8000", "stall:0.01", "endless"])
async def test_client_that_leaves_ends_its_download_at_once(simulator: Simulator, fault: str) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, tag="acme", duration_s=60, fault=fault)
    await hear(simulator.url, media_path(recording), basic(account), until=lambda body: len(body) > 100)
    [left] = simulator.log.entries
    await wait_until(lambda: left.end is not None)
    assert left.end is not None
    assert left.end - left.start < 2
    assert not left.whole
    assert whole_downloads(simulator.log.entries) == {}


async def test_client_that_reads_nothing_is_not_sent_everything(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=1800)
    size = 44 + 1800 * 16_000
    host, _, port = simulator.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    sign_in = basic(account)["Authorization"]
    writer.write(f"GET {media_path(recording)} HTTP/1.1\r\nAuthorization: {sign_in}\r\n\r\n".encode())
    await wait_until(lambda: bool(simulator.log.entries and simulator.log.entries[0].sent))
    [frozen] = simulator.log.entries
    sent = -1
    while sent != frozen.sent:  # until the buffers between us are full
        sent = frozen.sent
        await asyncio.sleep(0.1)
    assert sent < size / 2
    assert frozen.end is None
    await asyncio.wait_for(simulator.stop(), 5)  # which does not wait for the frozen one
    assert frozen.end is not None
    assert not frozen.whole
    writer.close()


async def test_resumed_download_is_one_whole_download(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=1, fault="reset:0.5")
    broken = await hear(simulator.url, media_path(recording), basic(account))
    resume = {"Range": f"bytes={len(broken.body)}-", "If-Range": broken.headers["etag"]}
    await hear(simulator.url, media_path(recording), {**basic(account), **resume})
    await hear(simulator.url, media_path(recording), {**basic(account), "Range": "bytes=-10"})
    assert whole_downloads(simulator.log.entries) == {recording.sid: 1}
    assert downloads(simulator.log.entries) == {recording.sid: 3}
    assert simulator.log.entries[1].if_range == broken.headers["etag"]


@pytest.mark.parametrize("fault", ["short", "truncated", "garbage", "html", "wrong-length", "503", "410"])
async def test_faulty_answers_are_not_whole_downloads(simulator: Simulator, fault: str) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, tag="acme", duration_s=0.2, fault=fault)
    await hear(simulator.url, media_path(recording), basic(account))
    assert whole_downloads(simulator.log.entries) == {}
    assert highest_concurrency(simulator.log.entries, "tag") == {"acme": 1}  # but it was a download


async def test_refused_downloads_are_in_the_log_with_their_owner(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, tag="acme")
    await hear(simulator.url, media_path(recording))
    [refused] = simulator.log.entries
    assert (refused.status, refused.tag, refused.recording_sid, refused.authorized) == (
        401,
        "acme",
        recording.sid,
        False,
    )


async def test_next_download_of_a_quick_client_is_never_taken_for_a_second_one(simulator: Simulator) -> None:
    account = simulator.add_account(limit=3)
    made = [
        simulator.add_recording(account_sid=account.sid, tag=tag, duration_s=seconds)
        for tag, seconds in (("acme", 0.01), ("bravo", 0.1), ("cora", 3.0))
    ]
    host, _, port = simulator.url.removeprefix("http://").partition(":")

    def download_at_once_again(recording: Recording, length: int) -> None:
        """Ask for the next one in the very moment in which the last byte of this one is here."""
        sign_in = basic(account)["Authorization"]
        request = f"GET {media_path(recording)} HTTP/1.1\r\nAuthorization: {sign_in}\r\n\r\n".encode()
        with socket.create_connection((host, int(port))) as first, socket.create_connection((host, int(port))) as other:
            for n in range(100):
                connection = (first, other)[n % 2]
                connection.sendall(request)
                received = connection.recv(65536)
                assert received.startswith(b"HTTP/1.1 200 ")
                left = received.index(b"\r\n\r\n") + 4 + length - len(received)
                while left:
                    left -= len(connection.recv(left))

    lengths = [len(await simulator.audio(recording, channels=1)) for recording in made]
    await asyncio.gather(
        *(asyncio.to_thread(download_at_once_again, *pair) for pair in zip(made, lengths, strict=True))
    )

    entries = simulator.log.entries
    assert {item.status for item in entries} == {200}
    assert max(item.tag_concurrency for item in entries) == 1
    assert highest_concurrency(entries, "tag") == {"acme": 1, "bravo": 1, "cora": 1}
