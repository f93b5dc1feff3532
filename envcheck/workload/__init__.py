"""What the workers are given: a model bundle and a sequence of frames."""
