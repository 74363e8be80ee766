"""Journeys in a real Chromium, against the real server: what only a browser can show."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from listener.mention import epoch
from tests.dashboard import seed

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed here"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
VIEWS = ("", "trends", "spikes", "inbox", "mentions", "coverage", "variants")
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 90_000  # milliseconds for a page on a busy machine; a free one needs two seconds


# Counts charts that are taken out of the page, and looks at which a chart was not fully there.
WATCH = """() => {
    window.gone = 0; window.faded = 0;
    const charts = () => document.querySelectorAll('[data-testid=stVegaLiteChart]');
    const main = document.querySelector('[data-testid=stMain]');
    new MutationObserver(seen => {
        for (const one of seen) for (const node of one.removedNodes)
            if (node.matches && (node.matches('svg.marks') || node.querySelector('svg.marks')))
                window.gone++;
    }).observe(main, {childList: true, subtree: true});
    setInterval(() => {
        for (const c of charts()) if (!c.querySelector('svg.marks') || getComputedStyle(c).opacity < 1)
            window.faded++;
    }, 50);
}"""


@dataclass(frozen=True)
class Served:
    """A running dashboard and the store that it shows."""

    url: str
    store: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("browser")
    seed.fill(folder / "seed.db").close()
    (folder / "keywords.yaml").write_text(seed.KEYWORDS, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
    command = [
        sys.executable, "-m", "streamlit", "run", str(app), "--server.address", "127.0.0.1",
        "--server.port", str(port), "--server.headless", "true", "--browser.gatherUsageStats", "false",
    ]  # fmt: skip
    environment = {
        **os.environ, "GROUNDSWELL_DB": str(folder / "seed.db"),
        "GROUNDSWELL_CONFIG": str(folder / "keywords.yaml"),
        "GROUNDSWELL_NOW": str(epoch(seed.NOW)),
    }  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _until_up(url, process)
        yield Served(url, folder / "seed.db")
    finally:
        process.terminate()
        process.wait(20)


def _until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 120
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the dashboard did not start")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="needs the playwright package")
    with sync.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page with a log of what it asked for and what it complained of."""

    def __init__(self, browser: Any, served: Served, size: dict[str, int]) -> None:
        self.served = served
        self.context = browser.new_context(viewport=size)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("dialog", lambda d: (self.dialogs.append(d.message), d.dismiss()))

    def open(self, path: str) -> Any:
        self.page.goto(f"{self.served.url}/{path}")
        self.page.wait_for_selector(".gs-bar h1")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the script has run to its end and the charts are drawn."""
        self.page.wait_for_selector('[data-test-script-state="notRunning"]')
        self.page.wait_for_function(
            "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
            ".every(c => c.querySelector('canvas, svg'))"
        )

    def strangers(self) -> list[str]:
        """Addresses asked for that are not this server's."""
        out = [u for u in self.asked if not u.startswith(("data:", "blob:"))]
        return [u for u in out if urlsplit(u).hostname != "127.0.0.1"]


@pytest.fixture
def visit(chromium: Any, served: Served) -> Iterator[Any]:
    opened: list[Visit] = []

    def start(size: dict[str, int] = DESK) -> Visit:
        opened.append(Visit(chromium, served, size))
        return opened[-1]

    yield start
    for one in opened:
        one.context.close()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_view_stays_at_home_and_fits(visit: Any, size: dict[str, int]) -> None:
    v = visit(size)
    for view in VIEWS:
        page = v.open(view)
        assert page.title() != "owned", view
        assert page.locator("iframe, object, embed").count() == 0, view
        for element in (
            "document.documentElement",
            "document.querySelector('[data-testid=stMain]')",
        ):
            wide = page.evaluate(f"{element}.scrollWidth - {element}.clientWidth")
            assert wide <= 0, f"{view or 'live'} is {wide} px too wide at {size['width']}"
    assert v.strangers() == []
    assert v.dialogs == []


def test_new_posts_show_within_ten_seconds_and_nothing_flickers(visit: Any, served: Served) -> None:
    from listener.store import Store

    v = visit()
    page = v.open("")
    page.evaluate(WATCH)
    with Store(served.store) as store:
        number = 900_000 + int(time.time())
        made = seed.Made(
            seed.Post("bluesky", f"p{number}", f"just in {number}", seed.NOW - timedelta(seconds=20)),
            seed.BRANDS[0], "FR", "fr", "positive",
        )  # fmt: skip
        seed._save(store, [made, made, made, made], seed.NOW)
    began = time.monotonic()
    page.wait_for_selector(f"text=just in {number}", timeout=30_000)
    waited = time.monotonic() - began
    page.wait_for_timeout(6_000)  # one more round, so that a late redraw would be seen
    gone, faded = page.evaluate("[window.gone, window.faded]")
    assert gone == 0, "a chart was taken away and put back"
    assert faded == 0
    assert waited < 10 or os.getloadavg()[0] > 2 * (os.cpu_count() or 1), f"{waited:.1f} s"


def test_a_filter_is_in_the_address_and_opens_the_same_elsewhere(visit: Any) -> None:
    v = visit()
    page = v.open("")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Brand", exact=True).click()
    page.get_by_role("option", name="Borealis").click()
    page.wait_for_selector(".gs-scope:has-text('Borealis')")
    query = parse_qs(urlsplit(page.url).query)
    assert query["brand"] == ["Borealis"]
    other = visit(PHONE)
    shared = other.open(page.url.split("/", 3)[3])
    assert "Borealis" in shared.inner_text(".gs-scope")
    assert "Aurora" not in shared.inner_text(".gs-posts")


def test_a_click_in_the_trend_opens_its_posts(visit: Any) -> None:
    v = visit()
    page = v.open("?span=7d")
    chart = page.locator('[data-testid="stVegaLiteChart"]').first
    box = chart.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    page.wait_for_url("**/mentions?*at=*")
    v.settle()
    assert "posts" in page.inner_text(".gs-heading")
    assert page.locator(".gs-post").count() > 0


def test_a_country_opens_its_posts_and_a_spike_its_evidence(visit: Any) -> None:
    v = visit()
    page = v.open("?span=7d")
    page.click(".gs-table a:has-text('Germany')")
    page.wait_for_url("**/mentions?*region=DE*")
    v.settle()
    assert page.locator(".gs-post").count() > 0
    page = v.open("?span=7d")
    page.click(".gs-spike a")
    page.wait_for_url("**/spikes?*spike=*")
    v.settle()
    assert page.locator(".gs-post").count() > 0
    assert v.strangers() == []


def test_a_post_is_shown_as_text_and_its_own_address_only_as_a_link(visit: Any) -> None:
    v = visit()
    page = v.open("mentions?q=script")
    assert "<script>document.title='owned'</script>" in page.inner_text(".gs-post .gs-text")
    page = v.open("mentions?q=boarding")
    link = page.locator("a.gs-out").first
    assert link.get_attribute("target") == "_blank"
    assert "noopener" in link.get_attribute("rel")
    assert link.get_attribute("href").startswith("https://posts.example/")
    assert v.strangers() == []
