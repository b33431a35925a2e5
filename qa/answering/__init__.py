"""A question to an answer: validated, searched, cited."""
