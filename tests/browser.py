"""A real Chromium, and what every page must hold in it."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = (
    "The dashboard's tests need a Chromium: install one (Debian: apt-get install chromium), or let playwright bring "
    "its own (playwright install chromium)."
)


@cache
def executable() -> str:
    """A Chromium that is there, else playwright's own, else Debian's package where we are root."""
    with (Path(tempfile.gettempdir()) / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Test processes that all miss one wait for the first to bring it.
        return _found()


def _found() -> str:
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if Path(own).exists() or _done(sys.executable, "-m", "playwright", "install", "chromium"):
        return own
    if os.geteuid() == 0 and _done("apt-get", "update", "-qq") and _done("apt-get", "install", "-y", "-qq", "chromium"):
        return shutil.which("chromium") or ""
    raise AssertionError(MISSING)


def _done(*command: str) -> bool:
    if not shutil.which(command[0]):
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, timeout=500).returncode == 0


@contextmanager
def chromium() -> Iterator[Browser]:
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


MILLISECONDS = 120_000
"""How long is waited for what must come: a busy machine stands still for seconds."""
expect.set_options(timeout=MILLISECONDS)

ALL = {"rules": {"target-size": {"enabled": True}}}
"""Those that axe has of itself, and what WCAG 2.2 AA adds."""
RUN = "async options => (await axe.run(options)).violations"
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that another colour scheme can break."""


class Watched:
    """A page of which it is kept what went wrong on it, but for what has one of the `expected` texts."""

    def __init__(self, browser: Browser, base_url: str, **options: Any) -> None:
        self.context = browser.new_context(base_url=base_url, **options)
        self.context.set_default_timeout(MILLISECONDS)
        self.page: Page = self.context.new_page()
        self.expected: tuple[str, ...] = ()
        self._trouble: list[str] = []
        self.page.on(
            "console",
            lambda said: self._trouble.append(f"{said.text} {said.location['url']}") if said.type == "error" else None,
        )
        self.page.on("pageerror", lambda error: self._trouble.append(str(error)))
        self.page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((base_url, "data:")) else self._trouble.append(f"asks {asked.url}")
            ),
        )

    @property
    def trouble(self) -> list[str]:
        return [one for one in self._trouble if not any(text in one for text in self.expected)]

    def forget_trouble(self) -> None:
        self._trouble.clear()

    def check(self, *schemes: Literal["light", "dark"]) -> None:
        """No violation of WCAG as axe knows it, in light and dark; no sideways scrolling; nothing else wrong."""
        schemes = schemes or ("light", "dark")
        self.page.evaluate(Axe().axe_script)
        for scheme in schemes:
            self.page.emulate_media(color_scheme=scheme)
            rules = ALL if scheme == schemes[0] else {"runOnly": {"type": "rule", "values": OF_COLOURS}}
            found = self.page.evaluate(RUN, {"resultTypes": ["violations"], **rules})
            assert not found, [(self.page.url, one["id"], [node["html"] for node in one["nodes"]]) for one in found]
        wide = self.page.evaluate(
            """document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
               [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right >
                document.documentElement.clientWidth).map(one => one.outerHTML.slice(0, 100))"""
        )
        assert not wide, f"{self.page.url} scrolls sideways: {wide}"
        assert not self.trouble, (self.page.url, self.trouble)
