"""matrix.yaml: what a file means, and what is wrong with one, each at its place."""

from __future__ import annotations

import pytest

from envcheck.matrix import MatrixError, default, parse, select
from envcheck.model import GATE, Axes, Gate, Verdict, Workload

WHOLE = """\
version: 1
axes:
  driver:    ["570", any]
  mediapipe: ["0.10.7", "0.10.21", "1.2.2"]
  cuda:      ["12.8", "13.0"]
zip: [[cuda, driver]]
exclude:
  - when: {mediapipe: "<0.10.8"}
    because: >
      no GPU code
      in these wheels
include:
  - {python: "3.13", mediapipe: "1.2.2"}
tiers:
  smoke: {mediapipe: latest, driver: any}
  all: {}
expect:
  - {when: {mediapipe: ["1.2.2", "0.10.21"]}, verdict: refused, because: no display}
workload: {input: face.png, resolution: 320x240, faces: 2.0, mode: image}
gate: {min_speedup: 2, confidence: 0.9, max_seconds: 5, runs: 3}
backends:
  docker: {images: {"12.8": "cuda:12.8"}, mirror: mirror.example}
  conda: {channels: [main]}
"""


def refusal(text: str) -> list[str]:
    """The lines of the error a text is refused with."""
    with pytest.raises(MatrixError) as caught:
        parse(text, "matrix.yaml")
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return str(caught.value).splitlines()


def with_axes(axes: str, rest: str = "") -> str:
    return f"version: 1\naxes:\n  {axes}\n{rest}"


def test_every_key_of_a_file_arrives_in_the_matrix() -> None:
    matrix = parse(WHOLE, "matrix.yaml")

    assert matrix.axes == {
        "backend": ("venv",),
        "mediapipe": ("0.10.7", "0.10.21", "1.2.2"),
        "cuda": ("12.8", "13.0"),
        "driver": ("570", "any"),
    }
    assert matrix.zip == (("cuda", "driver"),)
    assert [(entry.when, entry.because) for entry in matrix.exclude] == [
        ({"mediapipe": ("<0.10.8",)}, "no GPU code in these wheels")
    ]
    assert matrix.include == (Axes(backend="venv", python="3.13", mediapipe="1.2.2"),)
    assert matrix.tiers == {"smoke": {"mediapipe": ("latest",), "driver": ("any",)}, "all": {}}
    assert [(entry.when, entry.verdict, entry.because) for entry in matrix.expect] == [
        ({"mediapipe": ("1.2.2", "0.10.21")}, Verdict.REFUSED, "no display")
    ]
    assert matrix.workload == Workload(input="face.png", resolution="320x240", faces=2, mode="image")
    assert isinstance(matrix.workload.faces, int)
    assert matrix.gate == Gate(min_speedup=2.0, confidence=0.9, max_seconds=5.0, runs=3)
    assert matrix.backends.docker.images == {"12.8": "cuda:12.8"}
    assert matrix.backends.docker.mirror == "mirror.example"
    assert matrix.backends.conda.channels == ("main",)


def test_what_is_left_out_has_the_defaults_of_the_model() -> None:
    matrix = parse('version: 1\naxes: {mediapipe: ["1.2.2"]}', "matrix.yaml")

    assert (matrix.workload, matrix.gate) == (Workload(), GATE)
    assert matrix.backends.conda.channels == ("conda-forge",)
    assert matrix.axes["backend"] == ("venv",)


def test_a_matrix_knows_the_place_of_every_value() -> None:
    matrix = parse(WHOLE, "m.yaml")

    assert matrix.place("axes", "cuda", 1) == "m.yaml:5:23 axes.cuda[1]"
    assert matrix.place("backends", "docker", "images", "12.8") == 'm.yaml:22:29 backends.docker.images["12.8"]'
    assert matrix.place("gate", "not", "there") == "m.yaml:20:7 gate.not.there"


def test_the_shipped_default_is_sound_and_smoke_is_one_cell() -> None:
    assert [cell.id for cell in select(default(), tier="smoke")] == ["venv-mp1.2.3"]
    assert set(default().tiers) == {"smoke", "pr", "nightly", "release"}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param("12.10", 'axes.cuda[0]: 12.10 is a number; write it as a string: "12.10"', id="float"),
        pytest.param("13", 'axes.cuda[0]: 13 is a number; write it as a string: "13"', id="integer"),
        pytest.param("0x10", 'axes.cuda[0]: 0x10 is a number; write it as a string: "0x10"', id="hexadecimal"),
        pytest.param("1_2.8", 'axes.cuda[0]: 1_2.8 is a number; write it as a string: "1_2.8"', id="underscore"),
        pytest.param(".inf", 'axes.cuda[0]: .inf is a number; write it as a string: ".inf"', id="infinity"),
        pytest.param("True", 'axes.cuda[0]: True is a boolean; write it as a string: "True"', id="boolean"),
        pytest.param("~", "axes.cuda[0]: ~ is null; expected text", id="null"),
        pytest.param("2026-11-20", 'axes.cuda[0]: 2026-11-20 is a date; write it as a string: "2026-11-20"', id="date"),
        pytest.param("[x]", "axes.cuda[0]: a list is wrong here; expected text", id="list"),
        pytest.param("{a: b}", "axes.cuda[0]: a mapping is wrong here; expected text", id="mapping"),
        pytest.param('"twelve"', 'axes.cuda[0]: "twelve" does not have the form of a version', id="word"),
        pytest.param('"12-8"', 'axes.cuda[0]: "12-8" does not have the form of a version', id="dash"),
        pytest.param('"12.8\\n"', 'axes.cuda[0]: "12.8\\n" does not have the form of a version', id="line-break"),
        pytest.param('"../8"', 'axes.cuda[0]: "../8" does not have the form of a version', id="path"),
        pytest.param('"12.8.x"', 'axes.cuda[0]: "12.8.x" is not a PEP 440 version', id="no-version"),
        pytest.param('"12\\0"', "axes.cuda[0]: the text holds a control character", id="escaped-nul"),
        pytest.param('"\\uD800"', "axes.cuda[0]: the text holds a control character", id="lone-surrogate"),
        pytest.param("*x", "axes.cuda[0]: *x refers to an anchor", id="alias"),
        pytest.param('&x "1"', "axes.cuda[0]: &x is an anchor", id="anchor"),
        pytest.param("!!str 12.8", 'axes.cuda[0]: "!!str" is a tag', id="tag"),
        pytest.param("!!python/object/apply:os.getcwd []", '"!!python/object/apply:os.getcwd" is a tag', id="python"),
    ],
)
def test_a_value_that_is_no_version_text_is_refused_at_its_place(value: str, line: str) -> None:
    (said,) = refusal(with_axes(f"cuda: [{value}]"))

    assert said.startswith("matrix.yaml:3:10 axes.cuda[0]: ")
    assert line in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param('axes: {mediapipe: ["1"]}', "matrix.yaml:1:1: the key version is missing", id="no-version"),
        pytest.param('version: 2\naxes: {mediapipe: ["1"]}', "matrix.yaml:1:10 version: 2 is not 1", id="version-2"),
        pytest.param('version: "1"\naxes: {mediapipe: ["1"]}', 'version: "1" is wrong here', id="version-text"),
        pytest.param('version: true\naxes: {mediapipe: ["1"]}', "version: true is a boolean", id="version-true"),
        pytest.param("version: 1", "matrix.yaml:1:1: the key axes is missing", id="no-axes"),
        pytest.param("version: 1\naxes: {}", "matrix.yaml:2:7 axes: is empty", id="no-axis"),
        pytest.param("version: 1\naxes:", "axes: is empty; expected a mapping", id="axes-null"),
        pytest.param(with_axes("python: []"), "matrix.yaml:3:11 axes.python: is empty", id="empty-axis"),
        pytest.param(with_axes('python: "3.11"'), 'expected a list: ["3.11"]', id="axis-text"),
        pytest.param(with_axes("pyton: []"), 'axes.pyton: unknown key "pyton"; did you mean python?', id="axis-name"),
        pytest.param(with_axes("backend: [podman]"), "known are: venv, docker, conda", id="backend"),
        pytest.param(with_axes("backend: [dokcer]"), "did you mean docker?", id="backend-typo"),
        pytest.param(with_axes('driver: ["570-x"]'), '"570-x" does not have the form of a driver', id="driver"),
        pytest.param(with_axes('python: ["3.11", "3.11"]'), "it is axes.python[0] already", id="value-twice"),
        pytest.param(with_axes('mediapipe: ["1.2", "1.2.0"]'), "it is axes.mediapipe[0] already", id="version-twice"),
        pytest.param(with_axes('python: ["3.11"]', "tier: {}"), 'unknown key "tier"; did you mean tiers?', id="key"),
        pytest.param(with_axes('cuda: ["1"]\n  cuda: ["2"]'), "stands in line 3 already; keep one", id="key-twice"),
        pytest.param(with_axes('cuda: ["1"]', "1: 2"), '1 is a number; write it as a string: "1"', id="key-number"),
        pytest.param(
            with_axes('cuda: ["1"]', "? [a]\n: b"), "matrix.yaml:4:3: this key is no plain text", id="key-list"
        ),
        pytest.param(with_axes('cuda: ["1"]', "<<: {a: b}"), 'unknown key "<<"', id="merge-key"),
        pytest.param("- a", "expected a mapping", id="list"),
        pytest.param("a", "expected a mapping", id="text"),
        pytest.param("# nothing", "matrix.yaml:1:1: is empty; expected a mapping", id="comment"),
        pytest.param("version: 1\n---\naxes: {}", "matrix.yaml:2:1: a second document begins here", id="two-documents"),
        pytest.param("%YAML 1.1\n---\nversion: 1", "only YAML 1.2 is read", id="old-yaml"),
        pytest.param("a:\n\t- b", "matrix.yaml:2:1: not valid YAML: ", id="tab"),
        pytest.param("a: 'b", "not valid YAML: ", id="open-quote"),
        pytest.param("a: \0", "matrix.yaml:1:4: character U+0000 is not text", id="nul"),
        pytest.param("[" * 100_000, "nested more than 16 levels deep", id="deep-flow"),
        pytest.param("- " * 100_000, "nested more than 16 levels deep", id="deep-block"),
        pytest.param("? " * 100_000, "nested more than 16 levels deep", id="deep-keys"),
        pytest.param(r'"\UFFFFFFFF"', "not valid YAML: ", id="no-character"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(text: str, line: str) -> None:
    said = refusal(text)

    assert any(line in each for each in said), said


AXES = 'mediapipe: ["0.10.21", "1.2.2"]\n  cuda: ["12.8", "13.0"]\n  driver: ["570", any]'


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        pytest.param("zip: [cuda, driver]", 'zip[0]: "cuda" is text; expected a list: ["cuda"]', id="zip-flat"),
        pytest.param("zip: [[cuda]]", "zip[0]: has 1 entries; at least 2", id="zip-one"),
        pytest.param("zip: [[cuda, python]]", "zip[0][1]: this matrix has no python axis", id="zip-undeclared"),
        pytest.param("zip: [[cuda, cuta]]", 'zip[0][1]: "cuta" is unknown; did you mean cuda?', id="zip-unknown"),
        pytest.param("zip: [[cuda, cuda]]", "zip[0][1]: cuda moves in zip[0] already", id="zip-same"),
        pytest.param("zip: [[cuda, driver], [driver, mediapipe]]", "zip[1][0]: driver moves in zip[0]", id="zip-two"),
        pytest.param("zip: [[cuda, backend]]", "zip[0][1]: this matrix has no backend axis", id="zip-default-backend"),
        pytest.param("exclude: [{when: {cuda: '11'}, because: x}]", "excludes nothing: when asks for cuda 11", id="ex"),
        pytest.param("exclude: [{when: {}, because: x}]", "exclude[0].when: is empty", id="exclude-all"),
        pytest.param("exclude: [{when: {cuda: '>1'}, because: x}]", "exclude: every cell is excluded", id="all-gone"),
        pytest.param("exclude: [{when: {cuda: '12.8'}}]", "the key because is missing", id="exclude-no-reason"),
        pytest.param("exclude: [{when: {cuda: '12.8'}, because: ' '}]", "a text that says something", id="no-words"),
        pytest.param("exclude: [{when: {python: '3.11'}, because: x}]", "this matrix has no python axis", id="ex-axis"),
        pytest.param(
            "exclude: [{when: {cuda: latest}, because: x}]", "latest is for tiers and --select", id="ex-latest"
        ),
        pytest.param("exclude: [{when: {cuda: '=>1'}, because: x}]", '"=>1" is neither a version', id="specifier"),
        pytest.param("exclude: [{when: {cuda: ['1', '=>1']}, because: x}]", "when.cuda[1]", id="specifier-in-list"),
        pytest.param(
            "exclude: [{when: {cuda: []}, because: x}]", "exclude[0].when.cuda: is empty", id="no-alternative"
        ),
        pytest.param("exclude: [{when: {driver: '>570.1'}, because: x}]", "compared by branch", id="driver-version"),
        pytest.param("exclude: [{when: {driver: newest}, because: x}]", '"newest" is no driver', id="driver-word"),
        pytest.param("exclude: [{when: {backend: '>venv'}, because: x}]", "backend values have no order", id="order"),
        pytest.param("exclude: [{when: {backend: vnev}, because: x}]", "did you mean venv?", id="backend-condition"),
        pytest.param("include: [{mediapipe: '1.2.2', cuda: '12.8', driver: any}]", "by its axes", id="include-there"),
        pytest.param("include: [{cuda: '11'}, {backend: venv, cuda: '11'}]", "is include[0] already", id="inc-twice"),
        pytest.param(
            "include: [{cuda: 11}]", 'include[0].cuda: 11 is a number; write it as a string: "11"', id="inc-11"
        ),
        pytest.param("include: [{gpu: '11'}]", 'unknown key "gpu"', id="include-unknown"),
        pytest.param("include: [{}]", "include[0]: is empty", id="include-empty"),
        pytest.param("tiers: {smoke: {cuda: '11'}}", "tiers.smoke: selects nothing: it asks for cuda 11", id="tier"),
        pytest.param("tiers: {smoke: {cuda: '>=13', mediapip: x}}", "did you mean mediapipe?", id="tier-axis"),
        pytest.param("tiers: {Smoke It: {}}", "of a name: small letters", id="tier-name"),
        pytest.param("tiers: {s: {backend: latest}}", "selects nothing: it asks for backend latest", id="no-rank"),
        pytest.param("expect: [{when: {cuda: '11'}, verdict: slower, because: x}]", "matches nothing", id="expect"),
        pytest.param("expect: [{when: {}, verdict: fine, because: x}]", '"fine" is unknown; known are', id="verdict"),
        pytest.param("expect: [{when: {}, verdict: slow, because: x}]", "did you mean slower?", id="verdict-typo"),
        pytest.param("expect: [{when: {}, verdict: slower}]", "the key because is missing", id="expect-no-reason"),
        pytest.param("workload: {resolution: 640 x 480}", "does not have the form WIDTHxHEIGHT", id="resolution"),
        pytest.param("workload: {resolution: '0x480'}", "does not have the form WIDTHxHEIGHT", id="no-width"),
        pytest.param("workload: {resolution: 9000x480}", "must be from 16 to 8192 pixels", id="too-wide"),
        pytest.param("workload: {resolution: 640x15}", "must be from 16 to 8192 pixels", id="too-flat"),
        pytest.param("workload: {faces: 0}", "workload.faces: 0 is out of range; it must be at least 1", id="faces"),
        pytest.param(
            "workload: {faces: 1.5}", "workload.faces: 1.5 is a number; expected a whole number", id="half-face"
        ),
        pytest.param("workload: {mode: live}", 'workload.mode: "live" is unknown; known are: video, image', id="mode"),
        pytest.param(
            "gate: {min_speedup: 0}", "gate.min_speedup: 0 is out of range; it must be more than 0", id="speedup"
        ),
        pytest.param("gate: {min_speedup: .nan}", ".nan is no finite decimal number", id="not-a-number"),
        pytest.param(
            "gate: {confidence: 1.0}", "gate.confidence: 1.0 is out of range; it must be less than 1", id="sure"
        ),
        pytest.param("gate: {confidence: 95}", "it must be less than 1", id="percent"),
        pytest.param("gate: {max_seconds: -1}", "gate.max_seconds: -1 is out of range", id="seconds"),
        pytest.param(
            "gate: {max_seconds: soon}", 'gate.max_seconds: "soon" is wrong here; expected a number', id="soon"
        ),
        pytest.param("backends: {podman: {}}", 'unknown key "podman"', id="backends"),
        pytest.param(
            "backends: {docker: {images: {12.8: x}}}", "12.8 is a number; write it as a string", id="image-key"
        ),
        pytest.param("backends: {docker: {images: {'12.8': a b}}}", "of one word without blanks", id="image"),
        pytest.param("backends: {conda: {channels: []}}", "backends.conda.channels: is empty", id="channels"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(rest: str, line: str) -> None:
    said = refusal(with_axes(AXES, rest))

    assert any(line in each for each in said), said
    assert all(each.startswith("matrix.yaml:") for each in said)


@pytest.mark.parametrize(
    ("cuda", "driver", "line"),
    [
        pytest.param('["12.8"]', '["570", any]', "cuda has 1, driver has 2", id="lengths"),
        pytest.param(
            '["12.8", "12.8"]',
            '["570", "570"]',
            "cuda 12.8 with driver 570 stands here twice: values 1 and 2",
            id="row",
        ),
    ],
)
def test_axes_that_do_not_fit_together_cannot_be_zipped(cuda: str, driver: str, line: str) -> None:
    said = refusal(with_axes(f"cuda: {cuda}\n  driver: {driver}", "zip: [[cuda, driver]]"))

    assert line in said[0]


def test_zipped_axes_may_repeat_a_value() -> None:
    matrix = parse(
        with_axes('cuda: ["12.8", "12.8"]\n  driver: ["570", "580"]', "zip: [[cuda, driver]]"), "matrix.yaml"
    )

    assert matrix.axes["cuda"] == ("12.8", "12.8")


def test_problems_of_one_file_are_told_together_in_the_order_of_the_file() -> None:
    said = refusal(
        with_axes(
            'cuda: [12.8]\n  python: ["3.11", "3.11"]',
            "exclude: [{when: {python: '=>1'}, because: x}]\ntiers: {a: {gpu: x}}\ngate: {confidence: 2}",
        )
    )

    assert [line.split(": ")[0] for line in said] == [
        "matrix.yaml:3:10 axes.cuda[0]",
        "matrix.yaml:4:20 axes.python[1]",
        "matrix.yaml:5:27 exclude[0].when.python",
        "matrix.yaml:6:13 tiers.a.gpu",
        "matrix.yaml:7:20 gate.confidence",
    ]


def test_what_reaches_nothing_is_told_beside_problems_elsewhere() -> None:
    said = refusal(with_axes(AXES, "tiers: {smoke: {cuda: '11'}}\ngate: {confidence: 2}"))

    assert [line.split(": ")[0] for line in said] == [
        "matrix.yaml:6:16 tiers.smoke",
        "matrix.yaml:7:20 gate.confidence",
    ]


def test_a_broken_axis_causes_no_second_complaint() -> None:
    said = refusal(with_axes("cuda: [12.8]", "tiers: {smoke: {cuda: '12.8'}}"))

    assert len(said) == 1


def test_many_problems_are_counted_after_the_first_forty() -> None:
    said = refusal(with_axes(f"cuda: [{', '.join(['1'] * 100)}]"))

    assert len(said) == 41
    assert said[-1] == "... and 60 more problems"


def test_a_tier_of_excluded_cells_only_selects_nothing() -> None:
    said = refusal(
        with_axes(AXES, "exclude: [{when: {cuda: '13.0'}, because: too new}]\ntiers: {smoke: {cuda: latest}}")
    )

    assert said == ["matrix.yaml:7:16 tiers.smoke: selects nothing: every cell left is excluded: too new"]


def test_the_problems_of_a_file_are_there_as_data_too() -> None:
    with pytest.raises(MatrixError) as caught:
        parse(with_axes("cuda: [12.8]"), "matrix.yaml")

    assert [(problem.kind, problem.path) for problem in caught.value.problems] == [("structure", ("axes", "cuda", 0))]
