"""One root, distinct exit codes, all of them documented."""

from __future__ import annotations

from pathlib import Path

from envcheck import errors
from envcheck.errors import EnvcheckError


def classes(root: type[EnvcheckError]) -> list[type[EnvcheckError]]:
    return [
        root,
        *(c for child in root.__subclasses__() if child.__module__ == errors.__name__ for c in classes(child)),
    ]


def test_exit_codes_are_distinct_and_all_have_a_meaning() -> None:
    declared = {c.exit_code for c in classes(EnvcheckError)} | {errors.MET, errors.UNMET}

    assert declared == set(errors.EXIT_CODES)
    assert len(set(errors.EXIT_CODES.values())) == len(errors.EXIT_CODES)


def test_the_readme_documents_every_exit_code() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

    for code, meaning in errors.EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in readme


def test_a_place_comes_first_in_the_message() -> None:
    error = errors.PlaceError("matrix.yaml:14:5 axes.cuda[0]", "12.8 is a number", remedy='write "12.8"')

    assert str(error) == "matrix.yaml:14:5 axes.cuda[0]: 12.8 is a number"
    assert error.remedy == 'write "12.8"'
