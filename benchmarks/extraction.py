"""Measure what our readers get out of a folder of files; write benchmarks/extraction.json.

Usage: python benchmarks/extraction.py FOLDER [--markitdown PYTHON] [--formats pdf,docx] [--long N]

FOLDER holds files of any formats, at any depth. Where a file `NAME.SUFFIX` has beside it
`expected_outputs/NAME.md`, that is the text expected of it. --markitdown names the Python of an
environment that has markitdown with its extras, which then reads the same files. --long makes a
PDF of so many pages of prose to measure the speed on (600 without it; 0 for none).

For each format: how many files gave text, how many were reported and with what reason, seconds
of CPU, MB and (PDF) pages a second. For the files with expected text: the share of its words
that were found (each as often as it is expected), and the share of these that are in order (the
longest common subsequence of words over the words found). What a run does not measure stays in the
JSON as it was. Needs rapidfuzz, fpdf2.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rapidfuzz.distance import LCSseq

HERE = Path(__file__).parent
TIME_LIMIT = 120  # seconds of wall time for one file
# Which suffixes are tried, in the order of the table; what each file really is, its content tells.
SUFFIXES = """
    pdf html docx epub eml mbox csv jsonl txt md xml pptx xlsx xls odt ods odp rtf msg doc ppt
""".split()


def read(path: str) -> dict[str, Any]:
    """Read one file, in a worker process: as `qa` does, in one go."""
    from qa.reading.extracted import UnreadableError
    from qa.reading.files import read_file
    from qa.reading.formats import CONVERTED
    from qa.reading.reasons import NEEDS_OFFICE
    from qa.reading.sandbox.worker import reader_of

    def convert(kind: str, raw: bytes, _: object) -> Any:  # noqa: ANN401 - an Extracted, known there only
        if not CONVERTED[kind].is_installed:
            raise UnreadableError(NEEDS_OFFICE)
        try:
            return reader_of(kind)(raw)
        except UnreadableError:
            raise
        except Exception as error:
            found["failed"] = True
            raise UnreadableError(f"{type(error).__name__}: {error}"[:80]) from error

    raw = Path(path).read_bytes()
    found: dict[str, Any] = {}
    start = time.process_time()
    reading = read_file("file" + Path(path).suffix, raw, convert)
    found["seconds"] = time.process_time() - start
    if reading.documents:
        found["text"] = "\n".join(one.text for one in reading.documents)
        found["pages"] = int(reading.documents[0].metadata.get("pages", 0))
    else:
        found["error"] = next(iter(reading.problems.values()), "nothing in it")
    return found


def ours(paths: list[Path]) -> list[dict[str, Any]]:
    """Read all files of a format, one after the other; a crash or a hang costs that file alone."""
    results = []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, context)
    for path in paths:
        try:
            results.append(pool.submit(read, str(path)).result(TIME_LIMIT))
        except (BrokenExecutor, TimeoutError) as error:
            for process in multiprocessing.active_children():
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            pool = ProcessPoolExecutor(1, context)
            results.append({"error": type(error).__name__, "failed": True, "seconds": 0.0})
    pool.shutdown()
    return results


def theirs(python: str, paths: list[Path]) -> list[dict[str, Any]]:
    """Let markitdown read the files."""
    done = subprocess.run(
        [python, str(HERE / "peers" / "markitdown_peer.py")],
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def expected_text(path: Path) -> str:
    """Give what a file should say; "" where that is not known.

    A text for a name that several formats share is for the PDF.
    """
    file = path.parent / "expected_outputs" / f"{path.stem}.md"
    return file.read_text("utf-8") if path.suffix == ".pdf" and file.exists() else ""


def words(text: str) -> list[str]:
    """Give the words of a text; a word cut at a line's end counts as one."""
    return re.findall(r"\w+", re.sub(r"(\w)-\n(\w)", r"\1\2", text.lower()))


def agreement(expected: str, text: str) -> dict[str, float]:
    """Compare a text with the one expected."""
    want, got = words(expected), words(text)
    found = sum((Counter(want) & Counter(got)).values())
    in_order = LCSseq.similarity(want, got)
    return {
        "words found": round(found / len(want), 4),
        "in order": round(in_order / found, 4) if found else 0.0,
        "words not expected": round(1 - found / len(got), 4) if got else 0.0,
    }


def summary(paths: list[Path], results: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up the files of a format."""
    seconds = sum(result["seconds"] for result in results)
    size = sum(path.stat().st_size for path in paths)
    gave = [result for result in results if result.get("text", "").strip()]
    reasons = Counter(
        re.sub(r"\(.*", "", result.get("error", "no text")).strip()
        for result in results
        if not result.get("text", "").strip()
    )
    found: dict[str, Any] = {
        "files": len(paths),
        "gave text": len(gave),
        "reported": dict(reasons.most_common()),
        "failed": sum(result.get("failed", False) for result in results),
        "CPU s": round(seconds, 2),
        "MB a CPU s": round(size / 1e6 / seconds, 2),
        "words": sum(len(words(result["text"])) for result in gave),
    }
    if pages := sum(result.get("pages", 0) for result in results):
        found["pages"] = pages
        found["pages a CPU s"] = round(pages / seconds, 1)
    compared = {
        path.name: agreement(text, result.get("text", ""))
        for path, result in zip(paths, results, strict=True)
        if words(text := expected_text(path))
    }
    if compared:
        found["expected"] = compared
        found["expected, mean"] = {
            key: round(sum(each[key] for each in compared.values()) / len(compared), 4)
            for key in ("words found", "in order", "words not expected")
        }
    return found


def long_pdf(pages: int, target: Path) -> None:
    """Write a PDF of prose: 40 lines a page, with a running head and a page number."""
    from fpdf import FPDF

    pdf = FPDF(unit="pt", format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.set_font("Helvetica", size=11)
    for page in range(1, pages + 1):
        pdf.add_page()
        pdf.text(72, 40, "A long document")
        for line in range(40):
            numbers = " ".join(f"word{(page * 7 + line * 13 + k * k) % 997}" for k in range(11))
            pdf.text(72, 80 + 17 * line, numbers)
        pdf.text(290, 800, str(page))
    pdf.output(str(target))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--markitdown", metavar="PYTHON")
    parser.add_argument("--formats", default="", help="suffixes, parted by commas")
    parser.add_argument("--long", type=int, default=600)
    options = parser.parse_args()
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(options.folder.rglob("*")):
        if path.is_file() and "expected_outputs" not in path.parts:
            files[path.suffix[1:].lower()].append(path)
    wanted = set(filter(None, options.formats.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            name: files[name] for name in SUFFIXES if files[name] and (not wanted or name in wanted)
        }
        if options.long and "pdf" in sets:
            target = Path(folder, "long.pdf")
            long_pdf(options.long, target)
            sets["pdf, long"] = [target]
        formats: dict[str, Any] = {}
        for name, paths in sets.items():
            print(f"{name}: {len(paths)} files", file=sys.stderr)
            formats[name] = {"ours": summary(paths, ours(paths))}
            if options.markitdown:
                formats[name]["markitdown"] = summary(paths, theirs(options.markitdown, paths))
    target = HERE / "extraction.json"
    before = json.loads(target.read_text("utf-8"))["formats"] if target.exists() else {}
    found = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "versions": {"pypdfium2": version("pypdfium2"), "rapidfuzz": version("rapidfuzz")},
        "formats": {
            name: {**before.get(name, {}), **formats.get(name, {})}
            for name in sorted({*before, *formats})
        },
    }
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
