"""What the vault on a disk adds to the contract of vaults."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from callspool.domain.errors import NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.vault.disk import LEFTOVER_AGE, DiskVault
from callspool.vault.keys import vault_key
from tests.fixtures.missing import missing

KEY = vault_key(TenantId("acme"), RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607"), 1, "wav")


@pytest.mark.rule("F26", "I3")
async def test_no_reader_ever_sees_a_part_of_a_file(tmp_path: Path) -> None:
    """The source is on another filesystem, so that it has to be copied; a reader looks all the while."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        missing("a second filesystem (/dev/shm)")
    source = other / f"callspool-test-{os.getpid()}"
    size = 30_000_000
    sizes: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                sizes.add((tmp_path / "vault" / KEY).stat().st_size)
            except FileNotFoundError:
                sizes.add(-1)

    vault = DiskVault(tmp_path / "vault")
    reader = threading.Thread(target=look)
    try:
        source.write_bytes(b"x" * size)
        reader.start()
        await vault.put(KEY, source)
    finally:
        done.set()
        reader.join()
        source.unlink()
    sizes.add((tmp_path / "vault" / KEY).stat().st_size)
    assert sizes <= {-1, size}
    assert size in sizes
    assert list((tmp_path / "vault" / ".tmp").iterdir()) == []


@pytest.mark.rule("F26")
def test_leftovers_of_a_crash_are_swept_when_they_are_old(tmp_path: Path) -> None:
    DiskVault(tmp_path)
    old, new = tmp_path / ".tmp" / "old", tmp_path / ".tmp" / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    past = new.stat().st_mtime - LEFTOVER_AGE.total_seconds() - 60
    os.utime(old, (past, past))
    DiskVault(tmp_path)
    assert not old.exists()
    assert new.exists()


async def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    vault = DiskVault(tmp_path / "vault")
    target = tmp_path / "vault" / KEY
    target.parent.mkdir(parents=True)
    target.symlink_to(secret)
    with pytest.raises(VaultUnavailable):
        await vault.open(KEY)


async def test_a_vault_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    vault = DiskVault(tmp_path / "vault")
    shutil.rmtree(tmp_path / "vault")
    (tmp_path / "vault").write_bytes(b"a file in the folder's place")
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with pytest.raises(VaultUnavailable, match="vault"):
        await vault.put(KEY, source)
    with pytest.raises(VaultUnavailable, match="vault"):
        await vault.ping()
    with pytest.raises((VaultUnavailable, NotFound)):
        await vault.open(KEY)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="only Linux tells what is in its memory")
async def test_bytes_that_are_on_the_disk_alone_are_read_by_a_thread_and_are_the_same(tmp_path: Path) -> None:
    vault, data = DiskVault(tmp_path / "vault"), os.urandom(1 << 20)
    source = tmp_path / "source"
    source.write_bytes(data)
    await vault.put(KEY, source)
    file = await vault.open(KEY)
    own = vault.descriptor(KEY)
    try:
        os.fsync(own)
        os.posix_fadvise(own, 0, 0, os.POSIX_FADV_DONTNEED)
        if vault.is_at_hand(own, 500_000, 1000):
            pytest.skip("this filesystem keeps everything in memory")
        assert await file.read(500_000, 1000) == data[500_000:501_000]
        assert vault.is_at_hand(own, 500_000, 1000)
    finally:
        os.close(own)
        await file.close()
