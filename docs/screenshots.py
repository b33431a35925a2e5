"""Write docs/pictures/page.png and page-pdf.png: the page of `qa serve` in a browser.

Usage: python docs/screenshots.py. The documents are the sample article and a report made here.
Needs Chromium, and Playwright and fpdf2 of the extra `test`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fpdf import FPDF
from PIL import Image
from playwright.sync_api import sync_playwright

from qa.assistant import Assistant
from qa.serving.api import make_app
from qa.serving.guard import Rules
from qa.serving.server import listen, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1240, 680
COLOURS = 256  # of a picture: half the size, and no difference that is seen
QUESTIONS = {
    "page": "Will Russia send food or medicine?",
    "page-pdf": "When does the ferry leave in winter?",
}
REPORT = {
    "Harbour report": """
The harbour served 41,200 passengers this year, a tenth more than the year before. Most came by the
island ferry, which ran on 347 days.

Repairs to the north quay took until June. The crane stood on the south quay meanwhile, and freight
was handled there by night.
""",
    "The ferry in winter": """
From November to March the ferry leaves at 7.40 in the morning and at 16.15 in the afternoon. On
Sundays there is one crossing only, at noon.

In storms above force nine it stays in port, and the shipping office tells the islanders by radio.
""",
}


def report() -> bytes:
    """Make a PDF of a page for each part."""
    pdf = FPDF(unit="pt", format=(420, 595))
    pdf.set_margins(50, 50)
    for heading, text in REPORT.items():
        pdf.add_page()
        pdf.set_font("times", "B", 20)
        pdf.multi_cell(0, 30, heading)
        pdf.ln(35)
        pdf.set_font("times", size=12)
        for one in text.strip().split("\n\n"):
            pdf.multi_cell(0, 20, one.replace("\n", " "))
            pdf.ln(30)
    return bytes(pdf.output())


@contextmanager
def served(assistant: Assistant) -> Iterator[str]:
    """Serve an assistant from a thread; gives the address."""
    with listen("127.0.0.1", 0) as listening:
        server = make_server(make_app(assistant, Rules()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def main() -> None:
    """Ask each question, open the first result, and write what is seen then."""
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary) / "corpus"
        shutil.copytree(HERE.parent / "corpus", corpus)
        (corpus / "harbour-report.pdf").write_bytes(report())
        with Assistant(corpus, Path(temporary) / "index") as assistant:
            assistant.refresh()
            with served(assistant) as address, sync_playwright() as play:
                browser = play.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                tab = browser.new_page(
                    viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light"
                )
                for name, question in QUESTIONS.items():
                    tab.goto(f"{address}/?{urlencode({'q': question})}")
                    tab.locator(".citation").first.click()
                    tab.locator("#place").wait_for()
                    tab.wait_for_load_state("networkidle")
                    tab.locator(":focus").evaluate("(one) => one.blur()")
                    target = HERE / "pictures" / f"{name}.png"
                    seen = Image.open(BytesIO(tab.screenshot()))
                    seen.convert("RGB").quantize(COLOURS).save(target, optimize=True)
                    sys.stdout.write(f"{target}\n")
                browser.close()


if __name__ == "__main__":
    main()
