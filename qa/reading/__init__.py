"""A library of its own: bytes in, text with places out.

It promises, of `files.read_file(name, raw, convert)`:

- The same bytes give the same text, sections and places.
- The offsets of a text format (`text/`) are those of the decoded file: nothing is changed in it.
- The text of a converted format (`pdf/`, `html/`, `docx/`, `office/`, `epub`, `mail`, `tabular`,
  `feed`) is made from the file; its places say where a piece of it stands there: page, anchor,
  paragraph, row.
- Files inside a file are documents of their own, with ids below its own.
- What can't be read is a reason in `Reading.problems`, what is missing from a text that is read a
  reason in `Reading.warnings`. No file costs another.
- Nothing is fetched, run or written. Parsers of converted formats run in a process of their own,
  with limits on time and memory (`sandbox/`).

The package imports `qa.types` and `qa.errors`, and nothing else of `qa`. The rest of `qa` comes in
through these doors only:

- `files`: read a file and the files inside it
- `formats`: which reader reads which format
- `extracted`: what a reader of a converted format gives
- `places`: where a span of an extract stands in its file
- `reasons`: why a file is not read
- `dates`: days from the ways in which files write them
- `detect.sniffing`: the format of a file
- `detect.decoding`: text from bytes, and where a character stands in them
- `sandbox.client`: reads converted formats in the process of their own
- `sandbox.budget`: how long a file may take

To add a format, write one module with a function from a text to sections and metadata (a text
format), or from bytes to an `Extracted`, built with a `Composer` (a converted one), and enter it
in one table, `formats.TEXT` or `formats.CONVERTED`, with the suffixes of its files. Where its
content tells more than a suffix, `detect.sniffing` needs to know that too.
"""
