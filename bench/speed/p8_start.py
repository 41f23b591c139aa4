"""P8: the first start of a data folder against initdb."""

import shutil
import tempfile
import time
from pathlib import Path

from addtocrm.core.db.embedded import attach
from addtocrm.core.db.folders import private_folder
from addtocrm.core.db.postmaster import binaries, run
from bench.deployment import Deployment
from bench.figure import Figure, ratios


def figure(_: Deployment) -> Figure:
    return Figure("P8 first start against initdb (seconds)", *ratios(first_start, initdb), "≤ 3")


def first_start() -> float:
    folder = Path(tempfile.mkdtemp(prefix="addtocrm-p8-"))
    began = time.perf_counter()
    attachment = attach(folder)
    seconds = time.perf_counter() - began
    attachment.detach()
    shutil.rmtree(folder)
    return seconds


def initdb() -> float:
    folder = Path(tempfile.mkdtemp(prefix="addtocrm-p8-"))
    private_folder(folder)
    began = time.perf_counter()
    run(binaries() / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust")
    seconds = time.perf_counter() - began
    shutil.rmtree(folder)
    return seconds
