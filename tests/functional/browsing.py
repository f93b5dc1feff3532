"""A real browser, headless, with nothing but the disk to read from."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
INSTALL = "pip install playwright and apt-get install chromium-headless-shell (or chromium)"


def executable() -> str | None:
    """The browser of this machine, or the one that is named."""
    return os.environ.get("ENVCHECK_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


def browser_missing() -> str:
    """Why no browser can be started, or an empty text."""
    if importlib.util.find_spec("playwright") is None or executable() is None:
        return f"needs a browser; enable with: {INSTALL}"
    return ""


@contextmanager
def started() -> Iterator[Browser]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable(), timeout=PATIENCE_S * 1000)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page that notes what went wrong in it and everything that it asked for."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.errors.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path, route: str = "") -> Page:
        """Open a report and wait until it is drawn."""
        self.page.goto(path.as_uri() + route)
        self.page.wait_for_selector("body[data-ready]")
        return self.page
