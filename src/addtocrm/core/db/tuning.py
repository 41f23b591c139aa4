"""What the embedded PostgreSQL may use of the machine."""

import os
from pathlib import Path

MIB = 2**20
ROOT = Path("/")


def for_memory(memory: int) -> dict[str, str]:
    """PostgreSQL's settings that follow the machine's memory (in bytes).

    The shares are those of its documentation ("Resource Consumption"): a quarter for its own buffers, the rest for
    the system's cache. WAL grows with memory as disks do; more of it between checkpoints means that a page is
    written in full less often, and that a start after a crash takes longer, hence the cap.
    """

    def share(part: int, least: int, most: int) -> str:
        return f"{min(max(memory // part // MIB, least), most)}MB"

    return {
        "shared_buffers": share(4, 64, 4096),
        "effective_cache_size": share(2, 128, 262_144),
        "maintenance_work_mem": share(16, 32, 1024),
        "max_wal_size": share(4, 1024, 4096),
    }


def memory(root: Path = ROOT) -> int:
    """Bytes that this process may use: the machine's, or less where a control group (cgroups(7)) allows less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder, name in _groups(root):
        for group in (folder, *folder.parents):
            try:
                limits.append(int((group / name).read_text()))
            except (OSError, ValueError):
                pass  # no such group here, or "max"
    return min(limits)


def _groups(root: Path) -> list[tuple[Path, str]]:
    """The folders of the control groups that limit this process, and the names of their limits."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    mounted = root / "sys/fs/cgroup"
    found: list[tuple[Path, str]] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found.append((mounted / path.lstrip("/"), "memory.max"))
        elif "memory" in controllers.split(","):
            found.append((mounted / "memory" / path.lstrip("/"), "memory.limit_in_bytes"))
    return found
