"""The pytest plugin: inert until `--envcheck-results DIR` is given. Then DIR's cells are fixtures: see recorded.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """One option."""
    parser.getgroup("envcheck", "envcheck: acceptance tests on recorded cells").addoption(
        "--envcheck-results",
        metavar="DIR",
        help="results folder of `envcheck validate`; tests that use the fixtures cell, evidence, judgement, findings "
        "or bench run once per cell in it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, so that strict projects know them; register the fixtures where results are given."""
    config.addinivalue_line("markers", "envcheck_cells(axis=condition, ...): only for cells whose axes meet these")
    config.addinivalue_line("markers", "envcheck_verdicts(*names): only for cells that came out as one of these")
    folder = config.getoption("envcheck_results")
    if folder is not None:
        from envcheck.suite import recorded

        recorded.register(config, folder)
