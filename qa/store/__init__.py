"""The index folder: a catalog that is the truth, and two accelerators that follow from it."""
