"""One cell, start to finish: an environment that exists -> Evidence. `run.observe_cell` is the way in."""
