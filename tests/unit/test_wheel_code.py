"""MediaPipe's Python as syntax trees: the delegate, its numbers, and who refuses it."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.record import Unread
from envcheck.wheel import Seen
from envcheck.wheel.code import delegate, guard, members, read_code, solutions_of
from envcheck.wheel.metadata import oldest_glibc, platforms_of, tags_of_name
from tests.wheels import OPTIONS, STRUCTURE

PROTOBUF = """
class BaseOptions:
  class Delegate(enum.Enum):
    CPU = 0
    GPU = 1

  def to_pb2(self):
    platform_name = platform.system()
    if self.delegate == BaseOptions.Delegate.GPU:
      if platform_name in ['Linux', 'Darwin']:
        acceleration_proto = gpu()
      else:
        raise NotImplementedError('GPU Delegate is not yet supported for ' + platform_name)
    return Proto(acceleration=acceleration_proto)
"""
LOST = OPTIONS.replace("options.delegate = self.delegate.value if self.delegate else 0", "pass")


class Texts:
    """A tree of texts."""

    label = "texts"

    def __init__(self, **texts: str) -> None:
        self._texts = {f"mediapipe/tasks/python/core/{name}.py": text for name, text in texts.items()}
        self.names = tuple(self._texts)

    def text(self, name: str) -> str:
        return self._texts[name]

    def size(self, name: str) -> int:
        return len(self._texts[name])

    def native(self, name: str) -> None:
        """Texts hold no library."""


def passed(options: str, structure: str | None) -> object:
    missing = Unread(reason="no structure")
    found = delegate(ast.parse(options), missing if structure is None else ast.parse(structure))
    return found.value if isinstance(found, Seen) else found


@pytest.mark.parametrize(
    ("options", "structure", "word"),
    [
        pytest.param(OPTIONS, STRUCTURE, "passed", id="field-and-filled"),
        pytest.param(OPTIONS, STRUCTURE.replace('"delegate"', '"other"'), "ignored", id="no-field"),
        pytest.param(LOST, STRUCTURE, "ignored", id="field-never-filled"),
        pytest.param(PROTOBUF, None, "passed", id="protobuf"),
        pytest.param(PROTOBUF.replace("acceleration=", "other="), None, "ignored", id="protobuf-without-it"),
    ],
)
def test_the_delegate_is_passed_only_where_it_is_filled_and_has_a_field(
    options: str, structure: str | None, word: str
) -> None:
    assert passed(options, structure) == word


def test_a_comparison_does_not_pass_the_delegate_on() -> None:
    """0.10.30 reads self.delegate in __eq__ alone."""
    assert passed(LOST, STRUCTURE) == "ignored"


@pytest.mark.parametrize(("options", "structure"), [("x = 1", STRUCTURE), (OPTIONS, "x = 1")])
def test_other_code_says_nothing_about_the_delegate(options: str, structure: str) -> None:
    assert isinstance(passed(options, structure), Unread)


def test_members_are_numbered_as_written() -> None:
    found = members(ast.parse(OPTIONS.replace("CPU = 0\n    GPU = 1", "DEFAULT = 0\n    CPU = 1\n    GPU = 2")))
    assert isinstance(found, Seen)
    assert found.value == {"DEFAULT": 0, "CPU": 1, "GPU": 2}


@pytest.mark.parametrize("body", ["CPU = enum.auto()", "pass", "CPU = True", 'CPU = "0"'])
def test_members_that_are_no_plain_numbers_are_not_guessed(body: str) -> None:
    assert isinstance(members(ast.parse(f"class Delegate:\n  {body}\n")), Unread)


@pytest.mark.parametrize(
    ("source", "systems"),
    [
        (PROTOBUF, ("Linux", "Darwin")),
        (PROTOBUF.replace("in ['Linux', 'Darwin']", "== 'Linux'"), ("Linux",)),
        (OPTIONS, ()),
    ],
)
def test_the_systems_that_python_lets_through_are_named(source: str, systems: tuple[str, ...]) -> None:
    assert guard(ast.parse(source)).value == systems


def test_without_the_files_nothing_is_said() -> None:
    found = read_code(Texts())  # type: ignore[arg-type]
    assert all(isinstance(fact, Unread) for fact in (found.delegate, found.members, found.guard))
    assert found.api.value == "tasks"


@given(st.text(max_size=200))
def test_any_text_is_read_or_unread(text: str) -> None:
    found = read_code(Texts(base_options=text, base_options_c=text))  # type: ignore[arg-type]
    assert isinstance(found.delegate, (Seen, Unread))


def test_deeply_nested_code_is_unread() -> None:
    found = read_code(Texts(base_options="(" * 5000, base_options_c=""))  # type: ignore[arg-type]
    assert isinstance(found.delegate, Unread)


def test_solutions_are_those_that_people_use() -> None:
    folder = "mediapipe/python/solutions/"
    names = ["__init__", "face_mesh", "face_mesh_test", "face_mesh_connections", "drawing_utils", "hands"]
    assert solutions_of([f"{folder}{name}.py" for name in names]).value == ("face_mesh", "hands")


@pytest.mark.parametrize(
    ("tag", "platforms", "glibc"),
    [
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", ("linux-x86_64",), "2.17"),
        ("manylinux_2_28_aarch64", ("linux-aarch64",), "2.28"),
        ("macosx_11_0_universal2", ("macos-arm64", "macos-x86_64"), None),
        ("win_amd64", ("windows-x86_64",), None),
        ("any", (), None),
    ],
)
def test_platform_tags_name_platforms_and_the_oldest_glibc(
    tag: str, platforms: tuple[str, ...], glibc: str | None
) -> None:
    assert (platforms_of([tag]), oldest_glibc([tag])) == (platforms, glibc)


def test_a_file_name_gives_its_tags_multiplied_out() -> None:
    found = tags_of_name("mediapipe-1.0-py2.py3-none-any.whl")
    assert found is not None
    assert found.value == ("py2-none-any", "py3-none-any")
    assert tags_of_name("renamed.whl") is None
