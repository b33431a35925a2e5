"""The page of `qa serve` in a real browser: what a person sees, clicks and hears.

Whatever a test does, nothing may be asked of another server, no script of a document may run, and
the browser may complain of nothing: the fixture `tab` sees to that.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

from axe_playwright_python.sync_playwright import Axe
from fpdf import FPDF
from playwright.sync_api import expect, sync_playwright

from qa.assistant import Assistant
from test_serving import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Open = Callable[..., Any]

CHROMIUM = shutil.which("chromium")
GRAVE = {"error", "warning", "assert"}  # of what is written to a browser's console
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

MOON = "Who set foot on the Moon?"
FOOT = "Neil Armstrong set foot on it in July 1969."
OTTERS = "What do otters hold while they sleep?"
PERU = "What is the capital of Peru?"
DANCE = "When does the café open for the dance?"
MINUTES = "What did the council decide about the bridge?"
EVIL = "Which wizard guards the purple castle?"
HARM = """# <img src=x onerror=alert(1)>

The purple castle is guarded by the wizard Orlo. <script>alert(1)</script> The purple castle
</mark></blockquote></div><script>alert(2)</script><img src=//evil.example/x onerror=alert(3)>
<a href="javascript:alert(4)">click</a> [click](javascript:alert(5)) ![x](http://evil.example/y.png)
<style>body { display: none } @import "http://evil.example/z.css";</style>
<iframe src="http://evil.example/"></iframe><svg onload=alert(6)><base href="http://evil.example/">
{{ 7 * 7 }} <meta http-equiv="refresh" content="0;url=http://evil.example/">
"""
HARMFUL_NAME = '"><img src=x onerror=alert(7)>.md'


@pytest.fixture(scope="module", name="here")
def _here(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[str]:
    """Give the address of a server over documents of many kinds."""
    folder = tmp_path_factory.mktemp("browsed")
    corpus = folder / "corpus"
    filler = "".join(f"Remark {n} is about tides, seasons and shadows.\n\n" for n in range(60))
    written = {
        "moon.md": f"# The Moon\n\nIt orbits us.\n\n{filler}## Landing\n\n{FOOT}\n\n{filler}",
        "deep/whales.txt": "Blue whales are the largest animals. They eat krill.\n",
        "party.md": "# 🎉 Party\n\n😀😀😀 The café opens at nine 🎉 for the dance. Nobody pays.\n\n"
        "مرحبا بالعالم. يفتح المقهى في الساعة التاسعة مساء كل يوم.\n",
        "minutes/old.md": "---\ndate: 2019-03-01\n---\nThe council decided to paint the bridge.\n",
        "minutes/new.md": "---\ndate: 2024-03-01\n---\nThe council decided to close the bridge.\n",
        f"harm/{HARMFUL_NAME}": HARM,
    }
    for name, text in written.items():
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_text(text, "utf-8")
    pdf = FPDF(unit="pt", format=(600, 800))
    pdf.set_auto_page_break(auto=False)
    pdf.set_font("helvetica", size=12)
    for top, said in ((100, "Beavers build dams of mud."), (700, "Otters sleep holding hands.")):
        pdf.add_page()
        pdf.text(60, top, said)
    (corpus / "river report.pdf").write_bytes(bytes(pdf.output()))
    with Assistant(corpus, folder / "index", cache=str(cache)) as assistant:
        assistant.refresh()
        with served(assistant) as server:
            yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module", name="browser")
def _browser() -> Iterator[Browser]:
    """Give a browser that finds no other machine."""
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture(name="open_tab")
def _open_tab(browser: Browser, here: str) -> Open:
    """Give what opens a tab, with settings of Playwright's `new_context`, and checks it after."""

    @contextmanager
    def open_tab(**settings: Any) -> Iterator[Page]:
        asked: list[str] = []
        said: list[str] = []
        with browser.new_context(base_url=here, **settings) as context:
            context.set_default_timeout(20_000)
            tab = context.new_page()
            tab.on("request", lambda one: asked.append(one.url))
            tab.on("console", lambda one: said.extend([one.text] * (one.type in GRAVE)))
            tab.on("pageerror", lambda one: said.append(str(one)))
            tab.on("dialog", lambda one: said.append(one.message))
            yield tab
        assert asked
        assert [one for one in asked if not one.startswith(f"{here}/")] == []
        assert said == []

    return open_tab


@pytest.fixture(name="tab")
def _tab(open_tab: Open) -> Iterator[Page]:
    with open_tab() as tab:
        yield tab


def ask(tab: Page, question: str, **filters: str) -> None:
    """Ask by the address."""
    tab.goto(asking(question, **filters))
    expect(tab.locator(".verdict")).to_be_visible()


def asking(question: str, **filters: str) -> str:
    """Give the address of a question."""
    return "/?" + urlencode({"q": question, **filters})


def open_first(tab: Page) -> None:
    """Click the first result."""
    tab.locator(".citation").first.click()
    expect(tab.locator("#document")).to_be_visible()


def in_view(tab: Page) -> bool:
    """Whether the place is where it can be seen, in the window and in the document's pane."""
    return bool(
        tab.evaluate(
            """() => {
              const place = document.querySelector("#place").getBoundingClientRect();
              const pane = document.querySelector("#document").getBoundingClientRect();
              const top = Math.max(0, pane.top), low = Math.min(innerHeight, pane.bottom);
              return place.height > 0 && place.top >= top && place.bottom <= low;
            }"""
        )
    )


# --- asking and opening -----------------------------------------------------------------


def test_answers_come_as_one_stops_typing(tab: Page) -> None:
    tab.goto("/")
    expect(tab.locator("#q")).to_be_focused()
    tab.keyboard.type(MOON)
    expect(tab.locator(".verdict.answered")).to_contain_text("% likely")
    expect(tab.locator("#told")).to_contain_text("Answered")
    assert tab.locator(".passages mark").first.inner_text() == FOOT
    expect(tab).to_have_url(re.compile(r"\?q=Who\+set\+foot"))
    expect(tab).to_have_title(re.compile("^Who set foot"))


def test_a_result_opens_beside_the_answers_scrolled_to_the_passage_with_its_letters_marked(
    tab: Page,
) -> None:
    ask(tab, MOON)
    open_first(tab)
    assert tab.locator("#place mark").all_inner_texts() == [FOOT]
    assert tab.locator("#place .number").get_attribute("data-number") == "127"
    assert in_view(tab)
    assert tab.locator("#document").evaluate("(one) => one.scrollTop") > 1000
    answers, document = (tab.locator(one).bounding_box() for one in ("#answers", "#document"))
    assert answers
    assert document
    assert answers["x"] + answers["width"] <= document["x"]
    assert tab.locator("[aria-current]").inner_text().startswith("moon.md")


def test_back_and_forward_lead_to_what_was_shown(tab: Page) -> None:
    tab.goto("/")
    tab.fill("#q", MOON)
    expect(tab.locator(".passages mark").first).to_have_text(FOOT)
    open_first(tab)
    tab.fill("#q", PERU)
    tab.keyboard.press("Enter")
    expect(tab.locator(".abstained")).to_be_visible()
    expect(tab.locator("#document")).to_have_count(0)
    tab.go_back()
    expect(tab.locator("#place mark")).to_have_text(FOOT)
    assert tab.input_value("#q") == MOON
    assert in_view(tab)
    tab.go_back()
    expect(tab.locator("#document")).to_have_count(0)
    expect(tab.locator(".answered")).to_be_visible()
    tab.go_forward()
    expect(tab.locator("#place mark")).to_have_text(FOOT)


def test_a_link_that_is_sent_shows_the_same_question_and_place(open_tab: Open) -> None:
    with open_tab() as mine:
        ask(mine, MOON, folder="/", kind="md")
        open_first(mine)
        link = mine.url
    with open_tab() as theirs:
        theirs.goto(link)
        assert theirs.input_value("#q") == MOON
        assert theirs.input_value("[name=kind]") == "md"
        assert theirs.locator("#place mark").all_inner_texts() == [FOOT]
        theirs.wait_for_function("document.querySelector('#document').scrollTop > 1000")
        assert in_view(theirs)


def test_filters_by_folder_type_and_date_choose_what_answers(tab: Page) -> None:
    def cited() -> set[str]:
        return {one.split("\n")[0] for one in tab.locator(".citation bdi").all_inner_texts()}

    ask(tab, MINUTES)
    assert len(cited()) > 2
    tab.get_by_text("Filters").click()
    tab.get_by_label("Folder").fill("minutes")
    expect(tab.locator(".citation")).to_have_count(2)
    assert cited() == {"minutes/old.md", "minutes/new.md"}
    tab.get_by_label("From").fill("2023-01-01")
    expect(tab.locator(".citation")).to_have_count(1)
    assert cited() == {"minutes/new.md"}
    tab.get_by_label("From").fill("")
    expect(tab.locator(".citation")).to_have_count(2)
    tab.get_by_label("To").fill("2023-12-31")
    expect(tab.locator(".citation")).to_have_count(1)
    assert cited() == {"minutes/old.md"}
    tab.goto("/")
    tab.get_by_text("Filters").click()
    tab.get_by_label("Type").fill("txt")
    tab.get_by_label("Question").fill("What is the largest animal?")
    expect(tab.locator(".citation")).to_have_count(1)
    assert cited() == {"deep/whales.txt"}
    expect(tab).to_have_url(re.compile("kind=txt"))


def test_an_abstention_looks_like_one(tab: Page) -> None:
    ask(tab, PERU)
    expect(tab.locator(".verdict")).to_contain_text("Not in these documents")
    expect(tab.locator("h2")).to_have_text("The closest passages, which are not an answer")
    style = "(one) => { const found = getComputedStyle(one); return [found.borderTopStyle, "
    style += "found.backgroundColor, found.color]; }"
    border, _, _ = tab.locator(".verdict").evaluate(style)
    _, behind, ink = tab.locator(".passages mark").first.evaluate(style)
    ask(tab, MOON)
    answered, _, _ = tab.locator(".verdict").evaluate(style)
    _, strong, black = tab.locator(".passages mark").first.evaluate(style)
    assert (border, answered) == ("dashed", "none")
    assert behind == "rgba(0, 0, 0, 0)" != strong
    assert ink != black


def test_a_page_of_a_pdf_is_drawn_once_with_the_quote_marked_where_it_stands(
    tab: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, int]] = []
    draw = Assistant.page_image

    def counted(self: Assistant, document: str, page: int, *rest: Any, **more: Any) -> Any:
        drawn.append((document, page))
        return draw(self, document, page, *rest, **more)

    monkeypatch.setattr(Assistant, "page_image", counted)
    ask(tab, OTTERS)
    assert "page 2" in tab.locator(".citation").first.inner_text()
    with tab.expect_response(re.compile(r"pages/2\.png$")) as reply:
        open_first(tab)
    assert reply.value.status == 200
    assert drawn == [("river report.pdf", 2)]
    assert in_view(tab)
    page, mark = (tab.locator(one).bounding_box() for one in ("#document svg", "#place"))
    assert page
    assert mark
    scale = page["width"] / 600
    assert abs(mark["x"] - page["x"] - 60 * scale) < 4
    assert mark["y"] < page["y"] + 695 * scale < mark["y"] + mark["height"]
    expect(tab.locator("#document .prose mark")).to_have_text("Otters sleep holding hands.")
    tab.get_by_text("Page before").click()
    expect(tab.locator("figcaption")).to_contain_text("Page 1")
    expect(tab.locator("#document .prose")).to_contain_text("Beavers")


# --- what else people write -------------------------------------------------------------


def test_marks_after_emoji_end_at_the_last_letter_and_arabic_runs_from_the_right(
    tab: Page,
) -> None:
    ask(tab, DANCE)
    wanted = "😀😀😀 The café opens at nine 🎉 for the dance."
    assert tab.locator(".passages mark").first.inner_text() == wanted
    open_first(tab)
    assert tab.locator("#place mark").all_inner_texts() == [wanted]
    arabic = tab.locator("#document .words", has_text="مرحبا")
    direction = "(one) => getComputedStyle(one).direction"
    assert arabic.evaluate(direction) == "rtl"
    assert tab.locator("#place .words").evaluate(direction) == "ltr"


def test_a_document_that_means_harm_is_text_and_nothing_else(tab: Page) -> None:
    ask(tab, EVIL)
    open_first(tab)
    assert tab.locator("#document h2").inner_text() == f"harm/{HARMFUL_NAME}"
    shown = tab.locator("#document .text").inner_text()
    for line in filter(None, HARM.splitlines()):
        assert line in shown
    assert "alert(2)" in tab.locator("blockquote").first.inner_text()
    assert tab.locator("#found :is(img, script, style, iframe, base, meta)").count() == 0
    links = tab.locator("a").evaluate_all("(all) => all.map((one) => one.protocol)")
    assert set(links) == {"http:"}
    expect(tab.locator("body")).to_be_visible()
    ask(tab, HARM.replace("\n", " "))
    assert tab.input_value("#q") == HARM.replace("\n", " ")


def test_the_policy_stops_a_script_that_got_into_the_page_all_the_same(
    browser: Browser, here: str
) -> None:
    with browser.new_context(base_url=here) as context:
        tab = context.new_page()
        stopped: list[str] = []
        tab.on("console", lambda one: stopped.append(one.text))
        ran: list[str] = []
        tab.on("dialog", lambda one: ran.append(one.message))
        tab.goto("/")
        tab.evaluate(
            """() => {
              document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=alert(1)>"
                + "<a id=bad href='javascript:alert(2)'>x</a><p style='color: red'>");
              const script = document.createElement("script");
              script.textContent = "alert(3)";
              document.body.append(script);
              document.querySelector("#bad").click();
            }"""
        )
        for policy in ("script-src", "style-src"):
            assert any(policy in one for one in stopped), stopped
        assert ran == []


# --- for everybody ----------------------------------------------------------------------


def test_all_can_be_done_with_the_keyboard_alone(tab: Page) -> None:
    tab.goto("/")
    tab.keyboard.type(MOON)
    expect(tab.locator(".passages mark").first).to_have_text(FOOT)
    for name in ("Ask", "Filters"):
        tab.keyboard.press("Tab")
        expect(tab.locator(":focus")).to_have_text(name)
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_class("citation")
    ring = tab.locator(":focus").evaluate("(one) => getComputedStyle(one).outlineStyle")
    assert ring == "solid"
    tab.keyboard.press("Enter")
    expect(tab.locator("#place")).to_be_visible()
    expect(tab.locator(":focus")).to_have_text("Close")
    tab.keyboard.press("Escape")
    expect(tab.locator("#document")).to_have_count(0)
    expect(tab.locator(":focus")).to_have_class("citation")
    tab.keyboard.press("/")
    expect(tab.locator("#q")).to_be_focused()
    tab.keyboard.press("Control+A")
    tab.keyboard.type("a/b")
    assert tab.input_value("#q") == "a/b"


@pytest.mark.parametrize("question", [MOON, OTTERS, PERU, EVIL])
def test_on_a_phone_nothing_has_to_be_scrolled_sideways(open_tab: Open, question: str) -> None:
    with open_tab(viewport={"width": 390, "height": 844}, has_touch=True) as tab:
        for opened in (False, True):
            if opened:
                open_first(tab)
                expect(tab.locator("#answers")).to_be_hidden()
            else:
                ask(tab, question)
                tab.get_by_text("Filters").click()
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert in_view(tab)
        tab.locator("a.close").click()
        expect(tab.locator("#answers")).to_be_visible()


def test_without_scripts_one_asks_by_the_button_opens_by_links_and_lands_at_the_passage(
    open_tab: Open,
) -> None:
    with open_tab(java_script_enabled=False) as tab:
        tab.goto("/")
        tab.get_by_label("Question").fill(MOON)
        tab.get_by_role("button", name="Ask").click()
        expect(tab.locator(".answered")).to_be_visible()
        open_first(tab)
        expect(tab.locator("#place mark")).to_have_text(FOOT)
        expect(tab.locator("#place mark")).to_be_in_viewport()
        tab.locator("a.close").click()
        expect(tab.locator("#document")).to_have_count(0)
        ask(tab, OTTERS)
        open_first(tab)
        expect(tab.locator("#place")).to_be_in_viewport()
        tab.goto(asking(MOON, folder="deep"))
        assert tab.get_by_label("Folder").is_visible()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/login",
        asking(MOON),
        asking(MOON, doc="moon.md", kind="md"),
        asking(PERU),
        asking(OTTERS, doc="river report.pdf"),
        asking(EVIL, doc=f"harm/{HARMFUL_NAME}"),
    ],
    ids=["start", "login", "answer", "text", "abstention", "pdf", "harm"],
)
def test_axe_finds_nothing_on_light_or_dark_pages(tab: Page, path: str) -> None:
    tab.goto(path)
    behind = set()
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        behind.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        found = Axe().run(tab)
        assert found.violations_count == 0, found.generate_report()
    assert len(behind) == 2
