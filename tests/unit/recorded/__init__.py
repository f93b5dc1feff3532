"""What public issues and files show of real NVIDIA hosts: small tables of recorded lines, each row with its source.

Nothing here was recorded by envcheck, and nothing is made up: a row is a line, a path or a number that somebody's
machine printed, and `docs/recordings.md` says what all of it shows. Rows are added where reality is found to differ.
"""

ISSUES = "https://github.com/{}/issues/{}".format
PULLS = "https://github.com/{}/pull/{}".format
FILES = "https://github.com/{} {}".format
"""A repository and a file in it."""
