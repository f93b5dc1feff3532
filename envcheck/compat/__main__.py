"""`python -m envcheck.compat PAGE…`: write the tables into pages anew; without a page, print them."""

from __future__ import annotations

import sys
from pathlib import Path

from envcheck.compat.document import render, with_tables
from envcheck.compat.tables import load_tables
from envcheck.errors import MET, EnvcheckError


def main(pages: list[str]) -> int:
    """Exit code 0, or that of the error, which goes to standard error."""
    try:
        tables = load_tables()
        if not pages:
            sys.stdout.write(render(tables))
        for page in map(Path, pages):
            page.write_text(with_tables(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    except EnvcheckError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        return error.exit_code
    return MET


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
