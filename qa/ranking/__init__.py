"""Candidates to a ranking with evidence: pure functions over arrays, no I/O, no state."""
