"""Documents to passages, passages to sentences: exact slices, nothing lost, nothing truncated."""
