"""The console in a real browser, at a phone's and a desk's width, in the dark and in the light.

Pictures are kept in `build/screenshots`, for people to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, expect, sync_playwright

from daemon.incidents.events import Event, Kind
from daemon.store.store import Store
from daemon.web.server import Server, serve
from daemon.web.sessions import Sessions
from tests.fakes import scene
from tests.fakes.face import TOKENS, Face, tokens

CHROMIUM = Path("/usr/bin/chromium")
PICTURES = Path(__file__).parents[3] / "build" / "screenshots"
PHONE = ViewportSize(width=360, height=640)
"""The smallest window that is promised."""
SIZES = {360: ViewportSize(width=360, height=740), 1280: ViewportSize(width=1280, height=800)}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATHS = {
    "overview": "/",
    "incident": f"/incidents/{scene.HOT}",
    "paged": f"/incidents/{scene.SILENT}",
    "detectors": "/detectors",
    "playbooks": "/playbooks",
    "pages": "/pages",
    "debts": "/debts",
    "history": "/history",
    "configuration": "/config",
    "post-mortem": f"/incidents/{scene.HOT}/postmortem",
}
CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((part) => part / 255)
      .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour && !/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.getClientRects().length || node.closest("svg")) continue;
    if (parseFloat(getComputedStyle(node).fontSize) === 0) continue;
    const pair = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${walk.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return poor;
}"""

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}: apt-get install chromium"),
]


@dataclass
class Watched:
    """A page, and what went wrong on it or left this machine."""

    page: Page
    base: str
    problems: list[str]

    def goto(self, path: str) -> None:
        self.page.goto(self.base + path)
        expect(self.page.locator("#line")).to_have_text("Live.")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=[*FLAGS])
        yield opened
        opened.close()


@pytest.fixture
def face(store: Store) -> Face:
    return Face(store, look_every=0.05)


@pytest.fixture
def served(face: Face) -> Iterator[Server]:
    server = serve(face.app, "127.0.0.1", 0)
    yield server
    server.stop()


def watched(
    browser: Browser, served: Server, *, width: int = 1280, theme: str = "light", scripts: bool = True
) -> Watched:
    context = browser.new_context(
        viewport=SIZES[width],
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id="Europe/Paris",
        java_script_enabled=scripts,
    )
    found = Watched(context.new_page(), f"http://127.0.0.1:{served.port}", [])

    def asked(request: Request) -> None:
        if not request.url.startswith((found.base, "data:")):
            found.problems.append(f"asked {request.url}")

    context.on("request", asked)
    found.page.on("pageerror", lambda error: found.problems.append(f"error {error}"))
    found.page.on(
        "console",
        lambda said: (
            found.problems.append(f"{said.type} {said.text}") if said.type in {"error", "warning"} else None
        ),
    )
    return found


def log_in(seen: Watched) -> None:
    seen.page.goto(f"{seen.base}/login")
    seen.page.fill("#token", TOKENS["operator"])
    seen.page.get_by_role("button", name="Log in").click()
    expect(seen.page.locator("#frame")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_reads_well_and_stays_at_home(
    browser: Browser, served: Server, width: int, theme: str
) -> None:
    seen = watched(browser, served, width=width, theme=theme)
    log_in(seen)
    for name, path in PATHS.items():
        seen.goto(path)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert seen.page.evaluate(CONTRAST) == [], name
        if name in {"overview", "incident", "paged"} or (width, theme) == (1280, "light"):
            seen.page.screenshot(path=str(PICTURES / f"{name}-{width}-{theme}.png"), full_page=True)
    assert seen.problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_without_tokens_a_browser_on_this_machine_takes_the_wheel(
    browser: Browser, served: Server, face: Face, width: int, theme: str
) -> None:
    face.tokens, face.local_operator = tokens([]), True
    seen = watched(browser, served, width=width, theme=theme)
    page = seen.page
    seen.goto(f"/incidents/{scene.SILENT}")
    for _ in range(2):  # as a reader, then at the login
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
        page.get_by_role("link", name="Take the wheel").or_(
            page.get_by_role("button", name="Take the wheel")
        ).first.click()
    expect(page).to_have_url(f"{seen.base}/incidents/{scene.SILENT}")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_contain_text("Recorded: ack by someone on this machine")
    assert [(order.kind, order.via) for order in face.record.orders] == [("ack", "console")]
    assert seen.problems == []


PLACES = """(selectors) => selectors.map((selector) => {
  const { left, top, right, bottom } = document.querySelector(selector).getBoundingClientRect();
  return { left, top, right, bottom };
})"""
"""Where things stand in the window, all read at one instant: the page renews itself."""


def seen_at_once(page: Page, *selectors: str) -> None:
    """Each of these lies within the window without scrolling, and none over another."""
    for selector in selectors:
        expect(page.locator(selector).first).to_be_visible()
    assert page.evaluate("window.scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    lower = 0.0
    for selector, place in zip(selectors, page.evaluate(PLACES, [*selectors]), strict=True):
        assert 0 <= place["left"] < place["right"] <= PHONE["width"], selector
        assert lower <= place["top"] < place["bottom"] <= PHONE["height"], selector
        lower = place["bottom"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_the_state_the_next_step_with_its_time_and_ack_are_seen_without_scrolling(
    browser: Browser, served: Server, face: Face, theme: str
) -> None:
    seen = watched(browser, served, width=360, theme=theme)
    page = seen.page
    page.set_viewport_size(PHONE)
    log_in(seen)
    seen.goto(f"/incidents/{scene.SILENT}")
    seen_at_once(page, ".lead .state", ".lead .next time", ".hand button")
    expect(page.locator(".lead .next")).to_contain_text(
        re.compile(r"L2 is told in \d+ (min|s) \(04:25 CET / 03:25Z\)")
    )
    page.screenshot(path=str(PICTURES / f"paged-phone-{theme}.png"))
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    foot, bar = page.evaluate(PLACES, ["#foot", ".hand button"])
    assert foot["bottom"] <= bar["top"] < bar["bottom"] <= PHONE["height"], "what is last is above the bar"
    page.evaluate("window.scrollTo(0, 0)")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_contain_text("Recorded: ack by operator")
    assert [order.kind for order in face.record.orders] == ["ack"]
    assert seen.problems == []


@pytest.mark.parametrize(("width", "theme"), [(360, "dark"), (1280, "light")])
def test_the_page_behind_a_link_is_what_is_wrong_and_one_button(
    browser: Browser, served: Server, face: Face, width: int, theme: str
) -> None:
    seen = watched(browser, served, width=width, theme=theme)
    page = seen.page
    if width == PHONE["width"]:
        page.set_viewport_size(PHONE)
    token = Sessions(lambda: face.keys).link(scene.SILENT, "ana", 1, scene.NOW)
    page.goto(f"{seen.base}/a/{token}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    button = page.get_by_role("button", name="Acknowledge")
    if width == PHONE["width"]:
        seen_at_once(page, "h1", "h1 + p", "form button")
    page.screenshot(path=str(PICTURES / f"link-{width}-{theme}.png"), full_page=True)
    button.click()
    expect(page.locator("h1")).to_have_text("Acknowledged, ana")
    assert [(order.kind, order.who, order.via) for order in face.record.orders] == [("ack", "ana", "link")]
    assert seen.problems == []


def test_what_happens_is_shown_without_reloading_and_takes_nothing_from_the_reader(
    browser: Browser, served: Server, face: Face, store: Store
) -> None:
    seen = watched(browser, served)
    log_in(seen)
    seen.goto(f"/incidents/{scene.HOT}")
    page = seen.page
    page.locator("#o-note summary").click()
    page.fill("#o-note-text", "half a thou")
    page.evaluate("window.scrollTo(0, 300)")
    page.evaluate("document.getElementById('main').dataset.mark = 'the same document'")
    with store.write() as uow:
        uow.timeline.append([Event(scene.HOT, scene.NOW, Kind.NOTE, "ana: it is the switch.", {}, "ana")])
    expect(page.get_by_text("ana: it is the switch.")).to_be_visible()
    assert page.locator("#main").get_attribute("data-mark") == "the same document"
    assert page.input_value("#o-note-text") == "half a thou"
    assert page.locator("#o-note-text").evaluate("node => node === document.activeElement")
    assert page.evaluate("window.scrollY") == 300
    assert seen.problems == []


def test_a_lost_connection_is_said_and_taken_up_again(browser: Browser, face: Face, store: Store) -> None:
    server = serve(face.app, "127.0.0.1", 0)
    seen = watched(browser, server)
    log_in(seen)
    seen.goto("/")
    server.stop()
    expect(seen.page.locator("#lost")).to_contain_text("Connection lost")
    again = Face(store, look_every=0.05)
    back = serve(again.app, "127.0.0.1", server.port)
    try:
        expect(seen.page.locator("#lost")).to_be_hidden(timeout=15_000)
    finally:
        back.stop()


def test_an_old_page_says_so_loudly(browser: Browser, served: Server, face: Face) -> None:
    assert face.live is not None
    face.live = replace(face.live, at=scene.NOW - 90)
    seen = watched(browser, served)
    log_in(seen)
    seen.goto("/")
    expect(seen.page.get_by_role("alert")).to_contain_text("Nothing new for 90 s")


def test_an_order_is_asked_once_given_and_answered(browser: Browser, served: Server, face: Face) -> None:
    seen = watched(browser, served, width=360)
    log_in(seen)
    seen.goto(f"/incidents/{scene.SILENT}")
    page = seen.page
    page.get_by_text("Close, not verified").first.click()
    expect(page.get_by_text("It still fires. Close it all the same?")).to_be_visible()
    assert face.record.orders == []
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_contain_text("Recorded: ack by operator")
    assert [(order.kind, order.incident) for order in face.record.orders] == [("ack", scene.SILENT)]
    assert seen.problems == []


def test_everything_works_without_scripts(browser: Browser, served: Server, face: Face) -> None:
    seen = watched(browser, served, scripts=False)
    log_in(seen)
    page = seen.page
    page.get_by_role("link", name="Storage failure: tier hot").click()
    expect(page.locator("h1")).to_contain_text("Hot storage is refusing writes")
    page.get_by_role("link", name="Pages", exact=True).last.click()
    expect(page.locator(".stream")).to_contain_text("ben was told by email")
    expect(page.locator(".stream")).not_to_contain_text("restart-writer started")
    page.locator("#o-note summary").click()
    page.fill("#o-note-text", "by hand")
    page.locator("#o-note button").click()
    expect(page.get_by_role("status").first).to_contain_text("Recorded: note by operator")
    assert [order.kind for order in face.record.orders] == ["note"]


def test_the_keyboard_reaches_the_orders_and_shows_where_it_is(browser: Browser, served: Server) -> None:
    seen = watched(browser, served)
    log_in(seen)
    seen.goto(f"/incidents/{scene.SILENT}")
    page = seen.page
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Acknowledge")
    expect(button).to_be_focused()
    assert button.evaluate("node => getComputedStyle(node).outlineWidth") == "3px"
