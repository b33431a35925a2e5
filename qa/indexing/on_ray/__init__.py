"""The work of a refresh on a Ray cluster: the driver here writes, workers read, split and embed."""
