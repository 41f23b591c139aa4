"""Runs figures and writes their rows of bench/RESULTS.md (see bench/README.md)."""

import os
import platform
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from bench.deployment import Deployment
from bench.figure import ROUNDS, Figure

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
SECTIONS = {
    "speed": ("Speed", "| figure | | AddToCRM | against | ratio | goal | measured |"),
    "growth": ("Growth: ten times as much", "| figure | | at ten times | at once | ratio | goal | measured |"),
}


def names(section: str) -> list[str]:
    return sorted(path.stem for path in (HERE / section).glob("[a-z]*.py"))


def row(name: str, figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    today = time.strftime("%Y-%m-%d")
    return (
        f"| {name} | {figure.title} | {figure.ours:,.2f} | {figure.theirs:,.2f} | {ratio} | {figure.goal} | {today} |"
    )


def known_rows() -> dict[str, str]:
    """The rows measured before, by the figure's name."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def labelled(name: str) -> str:
    """What a figure's row is called: one of another scale stands beside that of the usual one."""
    return f"{name} {os.environ['SCALE']}" if "SCALE" in os.environ else name


def write(rows: dict[str, str]) -> None:
    lines = [
        "# Measured speed and growth",
        "",
        f"`make bench` on {os.cpu_count()} cores, Python {platform.python_version()}; medians of {ROUNDS} alternating "
        "rounds. Requests or rows a second unless said otherwise.",
    ]
    for section, (title, head) in SECTIONS.items():
        lines += ["", f"## {title}", "", head, "|---|---|---:|---:|---:|---|---|"]
        lines += [rows[label] for label in sorted(rows) if label.partition(" ")[0] in names(section)]
    RESULTS.write_text("\n".join([*lines, ""]))


def main(chosen: list[str]) -> None:
    if unknown := set(chosen) - {name for section in SECTIONS for name in names(section)}:
        sys.exit(f"There is no figure {', '.join(sorted(unknown))}.")
    rows = known_rows()
    for section in SECTIONS:
        for name in names(section):
            if chosen and name not in chosen:
                continue
            folder = Path(tempfile.mkdtemp(prefix="addtocrm-bench-"))
            deployment = Deployment(folder)
            try:
                label = labelled(name)
                rows[label] = row(label, import_module(f"bench.{section}.{name}").figure(deployment))
            finally:
                deployment.attachment.detach()
                shutil.rmtree(folder, ignore_errors=True)
            print(rows[label], flush=True)
            write(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
