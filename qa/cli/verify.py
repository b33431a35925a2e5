"""`qa verify`."""

from __future__ import annotations

import json
import os
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import Annotated, Any

import typer

from qa.cli import render
from qa.cli.options import Format, open_assistant
from qa.cli.output import Output
from qa.errors import CitationError, CorpusNotFoundError

EXAMPLES = """Examples:

qa ask "Who signed?" --format json > answer.json

qa verify answer.json"""

NOT_ALL = 1


def command(
    answer: Annotated[Path, typer.Argument(help="Saved with `qa ask … --format json`.")],
    *,
    corpus: Annotated[
        str | None,
        typer.Option(help="Folder or file to check against.  [default: the answer's corpus]"),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
) -> None:
    """Check the quotes of a saved answer against the files as they are now.

    Each is verified (still there), moved (the same words elsewhere), drifted (the words have
    changed) or unresolvable (the file is gone or can't be read). Exit status: 0 if all are
    verified or moved, 1 if not, 2 on an error.
    """
    output = Output()
    saved = _load(answer)
    if corpus is None and isinstance(saved.get("corpus"), str) and saved["corpus"]:
        corpus = saved["corpus"]
        if not os.path.exists(corpus):  # noqa: PTH110 - never raises, whatever was written there
            raise CorpusNotFoundError(
                f"{answer} quotes documents in {corpus}, which no longer exists",
                hint="If the documents are elsewhere now, name their folder with --corpus.",
            )
        output.note(f"Checking against {corpus}, where the question was asked.")
    with open_assistant(output, corpus=corpus) as assistant:
        verification = assistant.verify(saved)
    if output_format is Format.JSON:
        output.json(verification.to_dict())
    else:
        output.lines(render.verification(verification, width=output.width))
    if not verification.holds:
        raise typer.Exit(NOT_ALL)


def _load(path: Path) -> dict[str, Any]:
    """Read a saved answer; JSON in UTF-16, as some shells redirect, will do as well."""
    from qa.citations.verify import read_claims

    what = f"{path} is not a saved answer"
    hint = "Save one with `qa ask … --format json > answer.json`."
    try:
        saved: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CitationError(f"There is no file {path}", hint=hint) from error
    except IsADirectoryError as error:
        raise CitationError(f"{what}: it is a folder", hint=hint) from error
    except OSError as error:
        raise CitationError(f"{path} can't be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise CitationError(f"{what}: it is not text", hint=hint) from error
    except RecursionError as error:
        raise CitationError(f"{what}: it is nested too deeply", hint=hint) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CitationError(f"{what}: it is not JSON ({error.msg}, {where})", hint=hint) from error
    except ValueError as error:  # a number of thousands of digits
        raise CitationError(f"{what}: it is not JSON", hint=hint) from error
    read_claims(saved, name=str(path))
    return saved
