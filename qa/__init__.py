"""Ask your own documents; get the passages that answer, each with a citation that can be checked.

The public names, loaded when first used: `import qa` costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.diagnosis import Diagnosis, diagnose
    from qa.errors import QaError
    from qa.settings import Settings
    from qa.types import Answer, Citation, CitedPassage, Evidence, Refresh, Status

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "CitedPassage",
    "Diagnosis",
    "Evidence",
    "QaError",
    "Refresh",
    "Settings",
    "Status",
    "diagnose",
]

_HOMES = {
    "Assistant": "qa.assistant",
    "Diagnosis": "qa.diagnosis",
    "diagnose": "qa.diagnosis",
    "QaError": "qa.errors",
    "Settings": "qa.settings",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    if name not in __all__:
        msg = f"module 'qa' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES.get(name, "qa.types")), name)


def __dir__() -> list[str]:
    return __all__
