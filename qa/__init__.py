"""Ask your own documents; get the passages that answer, each with a citation that can be checked.

The public names, loaded when first used: `import qa` costs milliseconds. docs/python.md lists them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.answering.request import AskArguments
    from qa.assistant import Assistant
    from qa.citations.locate import Excerpt
    from qa.citations.verify import Checked, Verification
    from qa.contents import DocumentInfo, DocumentText, Heading, PageImage, Rectangle
    from qa.diagnosis import Check, Diagnosis, diagnose
    from qa.errors import (
        CatalogDamagedError,
        CitationError,
        ClosedError,
        ClusterError,
        CorpusError,
        CorpusNotFoundError,
        EmptyCorpusError,
        EncoderMismatchError,
        FilterError,
        ForeignIndexError,
        IndexLockedError,
        IndexMissingError,
        IndexUnusableError,
        MissingExtraError,
        ModelError,
        QaError,
        QuestionError,
        QuestionsError,
        ReadOnlyIndexError,
        ServerDeniedError,
        ServerUnreachableError,
        SettingsError,
        StorageError,
        UnknownDocumentError,
        UnreadableDocumentError,
    )
    from qa.evaluation.questions import Question
    from qa.progress import Progress, Running, Status
    from qa.ranking.calibration import Calibration
    from qa.settings import Settings, SettingsArguments
    from qa.types import (
        Answer,
        Citation,
        CitedPassage,
        Evidence,
        Explanation,
        Mark,
        Place,
        PlaceKind,
        Problem,
        Refresh,
        Scores,
    )

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AskArguments",
    "Assistant",
    "Calibration",
    "CatalogDamagedError",
    "Check",
    "Checked",
    "Citation",
    "CitationError",
    "CitedPassage",
    "ClosedError",
    "ClusterError",
    "CorpusError",
    "CorpusNotFoundError",
    "Diagnosis",
    "DocumentInfo",
    "DocumentText",
    "EmptyCorpusError",
    "EncoderMismatchError",
    "Evidence",
    "Excerpt",
    "Explanation",
    "FilterError",
    "ForeignIndexError",
    "Heading",
    "IndexLockedError",
    "IndexMissingError",
    "IndexUnusableError",
    "Mark",
    "MissingExtraError",
    "ModelError",
    "PageImage",
    "Place",
    "PlaceKind",
    "Problem",
    "Progress",
    "QaError",
    "Question",
    "QuestionError",
    "QuestionsError",
    "ReadOnlyIndexError",
    "Rectangle",
    "Refresh",
    "Running",
    "Scores",
    "ServerDeniedError",
    "ServerUnreachableError",
    "Settings",
    "SettingsArguments",
    "SettingsError",
    "Status",
    "StorageError",
    "UnknownDocumentError",
    "UnreadableDocumentError",
    "Verification",
    "diagnose",
]

_HOMES = {
    "AskArguments": "qa.answering.request",
    "Assistant": "qa.assistant",
    "Excerpt": "qa.citations.locate",
    "DocumentInfo": "qa.contents",
    "DocumentText": "qa.contents",
    "Heading": "qa.contents",
    "PageImage": "qa.contents",
    "Rectangle": "qa.contents",
    "Check": "qa.diagnosis",
    "Diagnosis": "qa.diagnosis",
    "diagnose": "qa.diagnosis",
    "Progress": "qa.progress",
    "Running": "qa.progress",
    "Status": "qa.progress",
    "Question": "qa.evaluation.questions",
    "Calibration": "qa.ranking.calibration",
    "Settings": "qa.settings",
    "SettingsArguments": "qa.settings",
    "Checked": "qa.citations.verify",
    "Verification": "qa.citations.verify",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    if name not in __all__:
        msg = f"module 'qa' has no attribute {name!r}"
        raise AttributeError(msg)
    home = _HOMES.get(name, "qa.errors" if name.endswith("Error") else "qa.types")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
