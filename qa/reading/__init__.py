"""Bytes to documents: `corpus` says what there is, `formats` which reader reads it."""
