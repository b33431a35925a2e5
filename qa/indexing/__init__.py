"""Documents to an index: compared with the corpus, cut into passages, embedded, written."""
