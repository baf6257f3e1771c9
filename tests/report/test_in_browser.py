"""The page in a real headless browser: nothing fails, nothing is loaded, every chart is there, nothing is cut off."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.report.shop_tables import AS_OF, full_tables
from tests.report.test_page import CHARTS
from ulm_spark.report.page import ReportConf, render_report
from ulm_spark.report.records import ReportTables

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

pytestmark = [
    pytest.mark.flow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is absent; install Debian's package chromium"),
]


@dataclass
class Seen:
    """What the browser said and asked for."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(render_report(full_tables(), ReportConf()), encoding="utf-8")
    return path


def opened(browser: Browser, path: Path, width: int, scheme: str = "light") -> tuple[Page, Seen]:
    seen = Seen()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(path.as_uri())
    return page, seen


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_and_nothing_fails_or_scrolls_sideways(
    browser: Browser, full_page: Path, width: int, scheme: str
) -> None:
    page, seen = opened(browser, full_page, width, scheme)
    for chart_id in CHARTS:
        box = page.locator(f"#{chart_id} svg.main-svg").first.bounding_box()
        assert box is not None, chart_id
        assert 0.6 * min(width, 900) < box["width"] <= width, chart_id
        assert box["height"] > 60, chart_id
    page.evaluate("document.querySelectorAll('details').forEach(block => { block.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.complaints == []
    assert seen.requests == [full_page.as_uri()]
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_words_behind_bars_are_not_cut_off(browser: Browser, full_page: Path, width: int) -> None:
    page, _ = opened(browser, full_page, width)
    cut = page.evaluate(
        """() => Array.from(document.querySelectorAll('.chart .bartext')).filter(text =>
             text.getBoundingClientRect().right > text.closest('.chart').getBoundingClientRect().right
           ).map(text => text.textContent)"""
    )
    assert cut == []
    page.context.close()


def test_the_page_without_rows_is_readable_too(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(render_report(ReportTables(AS_OF), ReportConf()), encoding="utf-8")
    page, seen = opened(browser, path, 390)
    assert page.locator(".missing").count() == 14
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert seen.complaints == []
    page.context.close()
