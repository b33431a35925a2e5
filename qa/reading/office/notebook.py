"""Jupyter's notebooks: their text is Markdown, and their code stands in it as code."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from qa.reading.extracted import Extracted
from qa.reading.office import guarded
from qa.reading.text.markdown import read_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_notebook"]

_FENCE = re.compile(r"`{3,}")


@guarded
def read_notebook(raw: bytes) -> Extracted:
    """Read the cells of a notebook, without what came out of them.

    Raises:
        UnreadableError: it is not a notebook, or there is no text in it.
    """
    text = "\n\n".join(_cells(json.loads(raw)))
    text = text.encode("utf-8", "ignore").decode().replace("\0", "")
    sections, metadata = read_markdown(text)
    return Extracted(text, sections, metadata=metadata)


def _cells(notebook: dict[str, Any]) -> Iterator[str]:
    """Each cell as Markdown."""
    about = notebook.get("metadata", {}).get("language_info", {})
    language = about.get("name", "python")
    for cell in notebook.get("cells", []):
        source = "".join(cell.get("source", ""))
        match cell.get("cell_type"):
            case "markdown":
                yield source
            case "code":
                yield _fenced(source, language)
            case "raw":
                yield _fenced(source, "")


def _fenced(source: str, language: str) -> str:
    fence = "`" * max((len(found) + 1 for found in _FENCE.findall(source)), default=3)
    return f"{fence}{language}\n{source}\n{fence}"
