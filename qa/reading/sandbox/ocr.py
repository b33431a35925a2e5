"""Text for scanned PDFs, by the `ocrmypdf` command where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from qa.errors import MissingExtraError
from qa.reading.extracted import UnreadableError
from qa.reading.reasons import ENCRYPTED

__all__ = ["OcrMissingError", "ocr_is_installed", "ocr_pdf"]

_TIME_LIMIT = 600.0
# https://ocrmypdf.readthedocs.io/en/latest/advanced.html#return-code-policy
_REASONS = {
    1: "ocrmypdf was given a setting that it does not know",
    2: "ocrmypdf can't read it: it is damaged, or not a PDF",
    3: "ocrmypdf needs a program that is not installed",
    4: "ocrmypdf made a file that is not valid",
    8: ENCRYPTED,
}


class OcrMissingError(MissingExtraError):
    """The `ocrmypdf` command is not installed."""

    def __init__(self) -> None:
        ImportError.__init__(self, "reading scans needs the command ocrmypdf, which is not here")
        self.hint = (
            "Install it: apt install ocrmypdf, brew install ocrmypdf, or see "
            "https://ocrmypdf.readthedocs.io; a language other than English needs its "
            "tesseract data as well (apt install tesseract-ocr-deu)."
        )


def ocr_is_installed() -> bool:
    """Whether the `ocrmypdf` command is there."""
    return shutil.which("ocrmypdf") is not None


def ocr_pdf(raw: bytes, *, time_limit: float = _TIME_LIMIT) -> bytes:
    """A copy of a PDF in which pages without text have what `ocrmypdf` sees on them.

    Args:
        raw: the PDF.
        time_limit: seconds for the whole file.

    Raises:
        OcrMissingError: the command is not installed.
        UnreadableError: the file can't be read, or not in that time.
    """
    command = shutil.which("ocrmypdf")
    if command is None:
        raise OcrMissingError
    with tempfile.TemporaryDirectory(prefix="qa-ocr-") as folder:
        source, target = Path(folder, "scan.pdf"), Path(folder, "text.pdf")
        source.write_bytes(raw)
        options = ["--skip-text", "--output-type", "pdf", "--optimize", "0", "--quiet"]
        options += ["--jobs", "1"]
        try:
            done = subprocess.run(  # noqa: S603 the command is the user's own
                [command, *options, "--", str(source), str(target)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=time_limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnreadableError(f"ocrmypdf took longer than {time_limit:g} s") from error
        if done.returncode or not target.exists():
            last = (done.stderr.strip().splitlines() or [""])[-1]
            reason = _REASONS.get(done.returncode, "ocrmypdf could not read it")
            raise UnreadableError(f"{reason} ({last})" if last else reason)
        return target.read_bytes()
