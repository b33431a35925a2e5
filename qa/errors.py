"""Everything that can go wrong and is a person's to fix; nothing else is raised on purpose.

QaError
├── SettingsError (ValueError)          a setting that is unknown or makes no sense
├── ClosedError (ValueError)            an assistant that was closed
├── QuestionError (ValueError)          a question, or a part of one, that can't be asked
│   └── FilterError                     a filter that can't be read, or that no document passes
├── CitationError (LookupError)         a citation that names nothing
├── UnknownDocumentError (LookupError)  a document that is not indexed
├── QuestionsError (ValueError)         a file of questions that is not one
├── MissingExtraError (ImportError)     a command that needs more to be installed
├── ClusterError                        a Ray cluster that is away, or can't do the work
├── CorpusError
│   ├── CorpusNotFoundError             no such folder or file
│   ├── EmptyCorpusError                nothing in it can be read
│   └── UnreadableDocumentError         one document that can't be read; the others can
├── ModelError                          no such model, damaged or unsafe files
└── IndexUnusableError
    ├── IndexMissingError               nothing is indexed yet
    ├── ForeignIndexError               of another program, format version or corpus
    ├── EncoderMismatchError            made with another model, tokenizer or limit
    ├── CatalogDamagedError             the catalog can't be read
    ├── IndexLockedError                another process writes and did not finish in time
    ├── ReadOnlyIndexError              the index folder can't be written
    ├── ServerUnreachableError          the server that keeps the index does not answer
    ├── ServerDeniedError               it refuses the token
    └── StorageError (OSError)          no space left, or the disk refuses

Each carries a `hint`: what to do now.
"""

from __future__ import annotations

__all__ = [
    "CatalogDamagedError",
    "CitationError",
    "ClosedError",
    "ClusterError",
    "CorpusError",
    "CorpusNotFoundError",
    "EmptyCorpusError",
    "EncoderMismatchError",
    "FilterError",
    "ForeignIndexError",
    "IndexLockedError",
    "IndexMissingError",
    "IndexUnusableError",
    "MissingExtraError",
    "ModelError",
    "QaError",
    "QuestionError",
    "QuestionsError",
    "ReadOnlyIndexError",
    "ServerDeniedError",
    "ServerUnreachableError",
    "SettingsError",
    "StorageError",
    "UnknownDocumentError",
    "UnreadableDocumentError",
]


class QaError(Exception):
    """Base of all errors here: a message (what happened, to what) and a hint (what to do now)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(QaError, ValueError):
    """A setting or an argument of `Assistant` is unknown, of the wrong type or out of range."""


class ClosedError(QaError, ValueError):
    """The assistant was closed: it can no longer be used."""


class QuestionError(QaError, ValueError):
    """The question is empty, or an argument of `ask` makes no sense."""


class FilterError(QuestionError):
    """A filter can't be read, or no indexed document passes it."""


class QuestionsError(QaError, ValueError):
    """Questions to calibrate or evaluate with can't be read, or are too few."""


class MissingExtraError(QaError, ImportError):
    """Something asked for needs an extra of this package."""

    def __init__(self, wish: str, extra: str) -> None:
        super().__init__(
            f"{wish} needs more to be installed",
            hint=f"Install it: pip install 'retrieval-qa[{extra}]'",
        )


class ClusterError(QaError):
    """There is no Ray cluster at the address, or its workers can't do the work."""


class CitationError(QaError, LookupError):
    """A citation names no place in the corpus, or there is no saved answer to verify."""


class UnknownDocumentError(QaError, LookupError):
    """No document with that id is indexed."""


class CorpusError(QaError):
    """The corpus, or a document of it, can't be read."""


class CorpusNotFoundError(CorpusError):
    """There is no such folder or file."""


class EmptyCorpusError(CorpusError):
    """The corpus holds nothing that can be read."""


class UnreadableDocumentError(CorpusError):
    """One document can't be read; `reason` says why in a few words."""

    def __init__(self, document: str, reason: str) -> None:
        super().__init__(f"{document} can't be read: {reason}")
        self.document = document
        self.reason = reason


class ModelError(QaError):
    """The model can't be found, or its files are damaged or unsafe."""


class IndexUnusableError(QaError):
    """Base of what can be wrong with an index folder."""


class IndexMissingError(IndexUnusableError):
    """Nothing is indexed yet."""


class ForeignIndexError(IndexUnusableError):
    """The index was made by another program, in another format version or for another corpus.

    `ours` tells that it was made by this program, and so may be replaced when that is asked for;
    `outdated`, that the next refresh takes it over.
    """

    def __init__(
        self, message: str, *, hint: str = "", ours: bool = False, outdated: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.ours = ours
        self.outdated = outdated


class EncoderMismatchError(IndexUnusableError):
    """The index was made with another model, tokenizer or limit."""


class CatalogDamagedError(IndexUnusableError):
    """The catalog can't be read."""


class IndexLockedError(IndexUnusableError):
    """Another process is writing and did not finish in time."""


class ReadOnlyIndexError(IndexUnusableError):
    """The index folder can't be written."""


class ServerUnreachableError(IndexUnusableError):
    """The server that keeps the index does not answer."""


class ServerDeniedError(IndexUnusableError):
    """The server that keeps the index refuses the token."""


class StorageError(IndexUnusableError, OSError):
    """The disk is full, or reading or writing failed."""
