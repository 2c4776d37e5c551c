"""What goes wrong with disks: it is named, nothing that was stored is lost, and the same command goes on once there is room."""

import errno
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pytest

from tests.failures.home import CELL, N_IMAGES, RUN, Home, copied, told
from tests.shell import eve

MIB = 1024**2


@dataclass
class SmallDisk:
    """An EVE_HOME where room ends: a small file system of its own or, where none can be mounted, files that may not grow."""

    home: Home
    filler: Path | None
    largest_file: int | None = None

    def eve(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        return eve(*arguments, home=self.home.path, largest_file=self.largest_file)

    def fill(self, *, but: int = 0) -> None:
        """Take all room but some bytes."""
        if self.filler is None:
            self.largest_file = but
            return
        with self.filler.open("ab", buffering=0) as stream:
            for n_bytes in (MIB, 4096):
                try:
                    while stream.write(bytes(n_bytes)) == n_bytes:
                        pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017 - what it is for
            stream.truncate(max(0, stream.tell() - but))

    def make_room(self) -> None:
        """Give it back."""
        self.largest_file = None
        if self.filler:
            self.filler.unlink()


@pytest.fixture
def disk(prepared_home: Home, tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs of 64 MiB where one can be mounted, which only root can."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount], capture_output=True, check=False)
    try:
        yield SmallDisk(copied(prepared_home, mount / "home", tmp_path), None if done.returncode else mount / "filler")
    finally:
        if not done.returncode:
            subprocess.run(["umount", "--lazy", mount], check=True)


def test_a_read_only_home_can_be_read_and_is_named_where_it_is_to_be_written(disk: SmallDisk, tmp_path: Path) -> None:
    if disk.filler is None:
        pytest.skip("no file system can be mounted here")
    assert not disk.eve("publish").returncode  # a copied home's database reads the tables of the first
    shutil.rmtree(disk.home.warehouse.response_index(*CELL).parent)
    subprocess.run(["mount", "-o", "remount,ro", disk.filler.parent], check=True)
    for command in (("plan", *RUN[1:], "simple"), ("sql", "from marts.coverage"), ("export", str(tmp_path / "bundle.zip"))):
        done = disk.eve(*command)
        assert done.returncode == 0, done.stderr
    assert all("cannotbewritten:Read-onlyfilesystem" in told(disk.eve(*command)) for command in ((*RUN, "simple"), ("ui",)))


def test_a_disk_that_is_full_while_asking_loses_no_reply(disk: SmallDisk) -> None:
    if disk.filler is None:
        pytest.skip("no file system can be mounted here; tests/responses/test_journal.py limits a journal's size")
    home, server, before = disk.home, disk.home.server, disk.home.published()
    stored, n_seen = home.rows("responses"), len(server.seen)
    first_choice, is_room = server.choice, Lock()

    def fill_and_choose(image: bytes, prompt: str) -> str:
        if len(server.seen) - n_seen >= N_IMAGES // 4 and is_room.acquire(blocking=False):
            disk.fill()
        return first_choice(image, prompt)

    server.choice = fill_and_choose
    try:
        problem = told(disk.eve(*RUN, "positive_first"))
    finally:
        server.choice = first_choice
    assert "cannotbewritten" in problem
    assert str(home.path) in problem
    assert "Loggingerror" not in problem
    assert home.published() == before
    n_kept, n_asked = home.n_kept() - N_IMAGES, len(server.seen) - n_seen
    assert 0 < n_kept <= n_asked <= N_IMAGES
    disk.make_room()
    again = disk.eve(*RUN, "positive_first", "--no-publish")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(server.seen) - n_seen - n_asked == N_IMAGES - n_kept, "what was kept is not asked again"
    after = home.rows("responses")
    assert after["request_key"].n_unique() == after.height == 2 * N_IMAGES
    assert after.join(stored, on=stored.columns[:2], how="semi").height == N_IMAGES


def test_a_disk_that_is_full_while_a_table_is_written_keeps_the_table(disk: SmallDisk) -> None:
    home, before = disk.home, disk.home.published()
    images, file = home.rows("images"), home.warehouse.file("images", "photos")
    disk.eve("datasets", "prepare", "photos")  # else its cache of checks is the first file that has no room
    (home.photographs / "awe" / "2.jpg").unlink()
    disk.fill()
    assert f"{file}cannotbewritten" in told(disk.eve("datasets", "prepare", "photos"))
    assert home.rows("images").equals(images)
    assert not list(home.path.rglob("*.tmp"))
    assert home.published() == before
    disk.make_room()
    again = disk.eve("datasets", "prepare", "photos")
    assert again.returncode == 0, again.stderr
    assert home.rows("images").height == N_IMAGES - 1


@pytest.mark.parametrize("left", [0, MIB], ids=["nothing", "some"])
def test_a_disk_that_is_full_while_publishing_leaves_the_last_good_one(disk: SmallDisk, left: int) -> None:
    home, before = disk.home, disk.home.published()
    disk.fill(but=left)
    problem = told(disk.eve("publish"))
    assert "cannotbewritten" in problem
    assert "nospaceleft" in problem.lower()
    assert str(home.path) in problem
    assert home.published() == before
    assert not (home.warehouse.publications / ".building").exists()
    if left:  # and what dbt left half written is no hindrance
        disk.make_room()
        again = disk.eve("publish")
        assert again.returncode == 0, again.stderr
        assert home.published()[0] != before[0]
