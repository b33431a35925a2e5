"""How much of a page's content is kept, how much of what surrounds it, and how fast.

Run: python benchmarks/html_pages.py [FOLDER OF MORE PAGES]
Needs trafilatura (with lxml_html_clean) and resiliparse for the comparison. The pages were made
together with our rules, so the shares compare versions and readers; they promise nothing.
Writes benchmarks/html_pages.json.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import trafilatura
from resiliparse.extract.html2text import extract_plain_text

from qa.reading.html import read_html

if TYPE_CHECKING:
    from collections.abc import Callable

# Words of content begin with c, those of the site's furniture with x; each stands once.
_MARK = re.compile(r"\b[cx][a-z]+\d+\b")
_HERE = Path(__file__).parent


class _Words:
    """Gives words that occur nowhere else, so that what is kept can be counted."""

    def __init__(self) -> None:
        self.count = 0

    def text(self, kind: str, words: int) -> str:
        """Give a sentence of `words` words, each of them marked."""
        self.count += words
        return " ".join(f"{kind}word{n}" for n in range(self.count - words, self.count)) + "."

    def items(self, kind: str, count: int, *, words: int = 2) -> str:
        """Give list items that are a link each."""
        return "".join(
            f'<li><a href="/{n}">{self.text(kind, words)}</a></li>' for n in range(count)
        )

    def prose(self, kind: str, paragraphs: int, *, words: int = 40) -> str:
        """Give paragraphs."""
        return "".join(f"<p>{self.text(kind, words)}</p>" for _ in range(paragraphs))


def pages() -> dict[str, str]:
    """Give pages of the kinds that people save."""
    w = _Words()
    c, x = "c", "x"
    banner = (
        f'<div class="cookie-banner"><p>We use cookies. {w.text(x, 20)}</p>'
        "<button>Accept all</button></div>"
    )
    plain_banner = (
        f'<div class="b7"><p>This site uses cookies. {w.text(x, 20)}</p>'
        '<a href="#">Accept all</a> <a href="#">Reject</a></div>'
    )
    found = {
        "news": f"<header><a href=/>{w.text(x, 2)}</a><nav><ul>{w.items(x, 8)}</ul></nav></header>"
        f"<main><article><h1>{w.text(c, 6)}</h1>{w.prose(c, 5)}<blockquote>{w.text(c, 12)}"
        f"</blockquote><figure><img alt='{w.text(c, 6)}'><figcaption>{w.text(c, 8)}</figcaption>"
        f"</figure>{w.prose(c, 3)}</article></main><aside><h2>{w.text(x, 2)}</h2><ul>"
        f"{w.items(x, 6, words=7)}</ul></aside>{banner}<footer>{w.prose(x, 2, words=15)}</footer>",
        "news without main": f"<div class=header><ul class=menu>{w.items(x, 8)}</ul></div>"
        f"<div class=story><h1>{w.text(c, 6)}</h1>{w.prose(c, 8)}</div><div class='related'>"
        f"<ul>{w.items(x, 6, words=7)}</ul></div>{plain_banner}<div id=footer>"
        f"{w.prose(x, 1, words=15)}</div>",
        "documentation": f"<div class=sidebar><ul>{w.items(x, 30)}</ul></div><main><h1>"
        f"{w.text(c, 3)}</h1>{w.prose(c, 2)}<h2 id=install>{w.text(c, 2)}</h2><pre>"
        f"{w.text(c, 4)}\n    {w.text(c, 6)}</pre><dl><dt id=a>{w.text(c, 2)}</dt><dd>"
        f"{w.text(c, 12)}</dd><dt>{w.text(c, 2)}</dt><dd>{w.text(c, 12)}</dd></dl><ol><li>"
        f"{w.text(c, 9)}</li><li>{w.text(c, 9)}</li></ol></main><footer>{w.text(x, 12)}</footer>",
        "forum": f"<ul class=navbar>{w.items(x, 6)}</ul><h1>{w.text(c, 7)}</h1>"
        + "".join(
            f"<div class=post id=p{n}><div class=author><a href=/u>{w.text(c, 1)}</a></div>"
            f"<div class=body>{w.prose(c, 1, words=12 + n)}</div></div>"
            for n in range(12)
        )
        + f"<form action=/s><label>{w.text(x, 2)}</label><input><button>{w.text(x, 1)}</button>"
        f"</form><div class=footer>{w.text(x, 10)}</div>",
        "tables": f"<nav>{w.items(x, 5)}</nav><h1>{w.text(c, 3)}</h1>"
        + "".join(
            f"<table><caption>{w.text(c, 4)}</caption><tr>"
            + "".join(f"<th>{w.text(c, 1)}</th>" for _ in range(4))
            + "</tr>"
            + "".join(
                "<tr>" + "".join(f"<td>{w.text(c, 2)}</td>" for _ in range(4)) + "</tr>"
                for _ in range(12)
            )
            + "</table>"
            for _ in range(3)
        ),
        "layout by tables": f"<table width=100%><tr><td><font>{w.text(x, 2)}</font></td></tr><tr>"
        "<td valign=top>"
        + "<br>".join(f"<a href=/{n}>{w.text(x, 2)}</a>" for n in range(9))
        + f"</td><td><b>{w.text(c, 5)}</b><br><br>{w.text(c, 40)}<br><br>{w.text(c, 40)}"
        f"<table><tr><td>{w.text(c, 1)}</td><td>{w.text(c, 1)}</td></tr><tr><td>{w.text(c, 1)}"
        f"</td><td>{w.text(c, 1)}</td></tr></table></td></tr></table>",
        "without meaning in tags": f"<div><span><a href=/>{w.text(x, 1)}</a></span>"
        + "".join(f"<span><a href=/{n}>{w.text(x, 1)}</a></span> " for n in range(7))
        + "</div>"
        + "".join(f"<div><div>{w.text(c, 30)}</div></div>" for _ in range(6)),
        "very short": f"<p>{w.text(c, 5)}</p>",
        "nested": f"{'<div>' * 10_000}<p>{w.text(c, 20)}</p>{'</div>' * 10_000}",
        "list of links": f"<h1>{w.text(c, 3)}</h1><ul>{w.items(c, 20, words=5)}</ul>",
    }
    head = "<!doctype html><html lang=en><head><title>A page</title></head><body>"
    return {name: f"{head}{body}</body></html>" for name, body in found.items()}


def _ours(html: str) -> str:
    return read_html(html.encode()).text


def _trafilatura(html: str) -> str:
    return trafilatura.extract(html, favor_recall=True, include_tables=True) or ""


def _resiliparse(html: str) -> str:
    return str(extract_plain_text(html, main_content=True, alt_texts=True))


def _share(found: set[str], expected: set[str]) -> float:
    return round(len(found & expected) / len(expected), 3) if expected else 0.0


def _speed(read: Callable[[str], str], texts: list[str]) -> float:
    """Give MB of HTML per second of CPU: the best of three."""
    size = sum(len(text.encode()) for text in texts)
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for text in texts:
            read(text)
        best = min(best, time.process_time() - start)
    return round(size / best / 1e6, 1)


def main() -> None:
    """Measure, print and write."""
    made = pages()
    results: dict[str, object] = {}
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    real = (
        [path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.html"))]
        if folder
        else []
    )
    for name, read in (
        ("ours", _ours),
        ("trafilatura", _trafilatura),
        ("resiliparse", _resiliparse),
    ):
        by_page, kept, expected = {}, set[str](), set[str]()
        for page, html in made.items():
            words, said = set(_MARK.findall(html)), set(_MARK.findall(read(html)))
            content = {word for word in words if word.startswith("c")}
            by_page[page] = [_share(said, content), _share(said, words - content)]
            kept |= said
            expected |= words
        content = {word for word in expected if word.startswith("c")}
        results[name] = {
            "content kept": _share(kept, content),
            "furniture kept": _share(kept, expected - content),
            "MB/s": _speed(read, real or list(made.values())),
            "pages": by_page,
        }
    (_HERE / "html_pages.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
