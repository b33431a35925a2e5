"""Why a file is not read, where more than its reader has to know."""

from __future__ import annotations

__all__ = [
    "BEFORE_2007",
    "BINARY",
    "DAMAGED",
    "DOCTYPE",
    "ENCRYPTED",
    "ENCRYPTED_DIFFERENTLY",
    "ENCRYPTED_MAIL",
    "EXPECTED",
    "LOCKED",
    "NEEDS_OFFICE",
    "NESTED",
    "NO_ENCODING",
    "NO_TEXT",
    "OCR_READS",
    "RETRYABLE",
    "SCAN",
    "UNREAD",
    "before_2007",
]

BINARY = "binary"  # the bytes are not text at all
UNREAD = "format not supported"  # there is no reader
DAMAGED = "it is damaged, or written in an unusual way; open it and save it again"
DOCTYPE = "a document type is declared in its XML"
ENCRYPTED = "it is encrypted: a password is needed"
ENCRYPTED_DIFFERENTLY = "it is encrypted in a way that is not known"
ENCRYPTED_MAIL = "it is encrypted"
LOCKED = "encrypted: its text is locked against copying (DRM)"
NESTED = "it is nested too deeply"
NO_ENCODING = "its bytes are not text in any encoding known"
NO_TEXT = "no text in it"
EXPECTED = (BINARY, UNREAD)  # counted, not named: nothing is wrong with the file
SCAN = "a scan without text; `--ocr` reads it where ocrmypdf is installed"
OCR_READS = "`--ocr` reads them where ocrmypdf is installed"  # pages that are scans
NEEDS_OFFICE = "it needs more to be installed: pip install 'retrieval-qa[office]'"
RETRYABLE = frozenset({SCAN, NEEDS_OFFICE})  # read again once what it lacks is there


def before_2007(program: str, suffix: str) -> str:
    """Why a file in the old format of an office program is not read, and how it can be."""
    return f"the format of {program} before 2007; save it as {suffix}"


BEFORE_2007 = {"doc": before_2007("Word", ".docx"), "ppt": before_2007("PowerPoint", ".pptx")}
