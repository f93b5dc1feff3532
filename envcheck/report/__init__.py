"""Results -> text, one module per format. Pure, but for the progress display and the width of a terminal."""
