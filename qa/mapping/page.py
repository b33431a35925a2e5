"""A map as one page that needs nothing from elsewhere: point at a passage to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.counting import counted
from qa.mapping.drawing import CAPTION, svg, words

if TYPE_CHECKING:
    from qa.mapping.gather import Map

__all__ = ["html"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: light-dark(#1f2328, #e6edf3); background: light-dark(#fff, #0d1117); }
h1 { margin: 0; font-size: 1.1rem; } p { margin: .3rem 0; overflow-wrap: anywhere; }
.quiet { color: light-dark(#59636e, #9198a1); font-size: .9rem; }
svg { width: 100%; height: auto; } .point { cursor: pointer; }
.point:focus, .point:hover { outline: none; stroke: currentColor; stroke-width: 3px; }
#read { min-height: 6rem; padding-left: .8rem;
  border-left: 3px solid light-dark(#d1d9e0, #3d444d); }
ol { margin: .3rem 0; padding-left: 1.6rem; } li { margin: .2rem 0; overflow-wrap: anywhere; }
"""
# Names and texts stay in the page's own elements: nothing of a document is in the script.
_SCRIPT = """
const read = document.getElementById("read");
for (const point of document.querySelectorAll("circle[data-group]")) {
  point.tabIndex = 0;
  const show = () => {
    const [label, ...text] = point.querySelector("title").textContent.split("\\n");
    read.replaceChildren(...[label, text.join(" ")].map((line, n) => {
      const part = document.createElement("p");
      part.textContent = line;
      if (n === 0) part.className = "quiet";
      return part;
    }));
  };
  point.addEventListener("pointerenter", show);
  point.addEventListener("focus", show);
}
"""


def html(found: Map) -> str:
    """The whole page."""
    ranked = sorted(
        (one for one in found.points if one.rank is not None), key=lambda one: one.rank or 0
    )
    rows = "".join(
        f'<li value="{one.rank}"><span class="quiet">{words(one.label)}</span><br>'
        f"{words(one.text)}</li>"
        for one in ranked
    )
    asked = f"<p>{words(found.asked)} <b>{words(found.verdict)}</b></p>" if found.asked else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words(found.asked or "Passages by meaning")}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{counted(len(found.points), "passage")} by meaning</h1>
<p class="quiet">{CAPTION} Point at one to read it.</p>
{asked}
{svg(found)}
<div id="read" aria-live="polite"><p class="quiet">No passage is chosen.</p></div>
{f"<ol>{rows}</ol>" if rows else ""}
<script>{_SCRIPT}</script>
</body>
</html>
"""
