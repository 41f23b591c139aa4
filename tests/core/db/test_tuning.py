"""What the embedded PostgreSQL takes of a machine."""

import os
from pathlib import Path

import pytest
from harness import with_pool

from addtocrm.core.db import tuning
from addtocrm.core.db.embedded import attach

GIB = 2**30


def bytes_of(url: str, name: str) -> int:
    return with_pool(url, lambda pool: pool.fetchval("select pg_size_bytes(current_setting($1))", name))


def test_an_existing_data_folder_follows_the_machine_at_its_next_start(tmp_path: Path) -> None:
    attach(tmp_path).detach()
    with (tmp_path / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 128MB\nmax_wal_size = 2GB\n")
    with attach(tmp_path) as attachment:
        expected = tuning.for_memory(tuning.memory())
        assert {name: bytes_of(attachment.url, name) for name in expected} == {
            name: int(value.removesuffix("MB")) * tuning.MIB for name, value in expected.items()
        }


@pytest.mark.parametrize("memory", [GIB // 4, GIB, 64 * GIB, 4096 * GIB])
def test_a_small_machine_keeps_room_and_a_huge_one_is_capped(memory: int) -> None:
    buffers = int(tuning.for_memory(memory)["shared_buffers"].removesuffix("MB")) * tuning.MIB
    assert 64 * tuning.MIB <= buffers <= min(memory // 4, 4 * GIB)


def limit_of_a_group(root: Path, line: str, limits: dict[str, str]) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line + "\n")
    for name, limit in limits.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(limit + "\n")


@pytest.mark.parametrize(
    ("line", "limits"),
    [
        ("0::/", {"memory.max": "268435456"}),
        ("0::/a.slice/b.service", {"a.slice/memory.max": "268435456", "a.slice/b.service/memory.max": "max"}),
        ("4:cpu,memory:/docker/x", {"memory/docker/x/memory.limit_in_bytes": "268435456"}),
        ("4:memory:/docker/x", {"memory/memory.limit_in_bytes": "268435456"}),
    ],
)
def test_the_limit_of_a_control_group_counts(line: str, limits: dict[str, str], tmp_path: Path) -> None:
    limit_of_a_group(tmp_path, line, limits)
    assert tuning.memory(tmp_path) == GIB // 4


def test_without_a_limit_the_machines_memory_counts(tmp_path: Path) -> None:
    limit_of_a_group(tmp_path, "0::/", {"memory.max": "max"})
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert tuning.memory(tmp_path) == tuning.memory(tmp_path / "no cgroups here") == physical
