"""Text to unit vectors: `load_encoder` gives the encoder of a model; the rest is how."""
