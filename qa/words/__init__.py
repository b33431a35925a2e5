"""Words as search counts them: which say nothing, and the terms that the others become."""

from __future__ import annotations

__all__ = ["VERSION"]

# Of the rules in this package: where a text becomes other terms, this is another, and an index
# takes the terms of its documents again at the next refresh.
VERSION = "2"
