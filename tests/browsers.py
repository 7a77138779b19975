"""Finds the Chromium the browser tests drive; prints one line when there is none. Run before the suite, imported by it."""

import os
import shutil
import subprocess
import sys
from functools import cache

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROBE = "from playwright.sync_api import sync_playwright as s\nwith s() as p: p.chromium.launch(args=['--no-sandbox']).close()"


@cache
def chromium_path() -> str | None:
    """The path of an installed Chromium; empty for the one playwright brings; None where there is neither."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    return "" if subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=False).returncode == 0 else None


def main() -> int:
    """Fetch a browser where none is found; fail only where REQUIRE_BROWSER says so."""
    if chromium_path() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, check=False)
        chromium_path.cache_clear()
    if chromium_path() is not None:
        return 0
    print("Browser tests are skipped: no Chromium here, and none could be fetched.")
    return 1 if os.environ.get("REQUIRE_BROWSER") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
