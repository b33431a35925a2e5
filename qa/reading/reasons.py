"""Why a file is not read, where more than its reader has to know."""

from __future__ import annotations

__all__ = ["BINARY", "EXPECTED", "MENDABLE", "NEEDS_OFFICE", "OCR_READS", "SCAN", "UNREAD"]

BINARY = "binary"  # the bytes are not text at all
UNREAD = "format not supported"  # there is no reader
EXPECTED = (BINARY, UNREAD)  # counted, not named: nothing is wrong with the file
SCAN = "a scan without text; `--ocr` reads it where ocrmypdf is installed"
OCR_READS = "`--ocr` reads them where ocrmypdf is installed"  # pages that are scans
NEEDS_OFFICE = "it needs more to be installed: pip install 'retrieval-qa[office]'"
MENDABLE = frozenset({SCAN, NEEDS_OFFICE})  # read again once what it lacks is there
