"""MediaPipe's wheels on the user's package index: which there are, and their bytes, or only the parts that are read."""
