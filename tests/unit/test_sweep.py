"""Sweeps: which points there are, what times come to, what is recommended, and how it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import envcheck.workload  # noqa: F401 - it loads sockets, which tests forbid later
from envcheck.cli.bench import space_of
from envcheck.errors import UsageError
from envcheck.model import GpuProcess, GpuSample, Host, Identity, ModelFile, Verdict
from envcheck.record import Unread
from envcheck.report import bench as text
from envcheck.report import plots
from envcheck.sweep import advice, figures, keeping, leaks, meters, space
from envcheck.sweep.session import check_frames
from envcheck.swept import BenchReport, Choice, Figures, Leak, Point, Round, Row, Side, Subject, Work

WORK = Work()


def side(delegate: str, *rounds: Round, **changes: object) -> Side:
    return replace(Side(delegate=delegate, outcome="ran", rounds=rounds), **changes)


def turn(pair: int, *streams: tuple[float, ...], wall: float | None = None, faces: int | None = None) -> Round:
    walls = tuple(wall if wall is not None else sum(times) for times in streams)
    count = sum(map(len, streams))
    return Round(
        pair=pair, times_ms=streams, wall_ms=walls, faces=count if faces is None else faces, cpu_s=0.01 * count
    )


def figured(per_second: float, p95: float = 5.0, cpu_ms: float | None = 4.0, faces: float = 1.0) -> Figures:
    return Figures(
        p50_ms=p95 / 2, p95_ms=p95, p99_ms=p95 * 2, frames=100, per_second=per_second, faces=faces, cpu_ms=cpu_ms
    )


def row(streams: int, **timed: Figures) -> Row:
    sides = tuple(side(name.upper(), renderer="llvmpipe" if name == "gpu" else "") for name in timed)
    return Row(point=Point(WORK, streams), sides=sides, figures={name.upper(): one for name, one in timed.items()})


# --- points --------------------------------------------------------------------------------------------------------


def test_a_sweep_is_the_product_of_its_axes_with_the_streams_of_one_work_together() -> None:
    points = space.Space(resolutions=("640x480", "64x64"), streams=(1, 2)).points()

    assert [(one.work.resolution, one.streams) for one in points] == [
        ("640x480", 1), ("640x480", 2), ("64x64", 1), ("64x64", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("cores", "streams"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (200, 64)])
def test_streams_double_up_to_the_cores(cores: int, streams: tuple[int, ...] | int) -> None:
    found = space.default_streams(cores)
    assert found == streams if isinstance(streams, tuple) else found[-1] == streams
    assert sorted(set(found)) == list(found)


@pytest.mark.parametrize(
    "change",
    [
        {"delegates": "tpu"}, {"delegates": ""}, {"delegates": "cpu,cpu"}, {"faces": "0"}, {"faces": "7"},
        {"modes": "live"}, {"blendshapes": "1"}, {"streams": "0"}, {"streams": "65"}, {"streams": "1,,2"},
        {"streams": "²"}, {"faces": "x"},
    ],
)  # fmt: skip
def test_what_is_no_value_of_an_axis_is_named_with_its_option(change: dict[str, str]) -> None:
    given = {"delegates": "cpu,gpu", "resolutions": "640x480", "faces": "1", "modes": "video", "blendshapes": "off"}
    with pytest.raises(UsageError, match=f"--{next(iter(change))} ") as told:
        space_of(**{**given, "streams": None, **change})  # type: ignore[arg-type]
    if example := re.fullmatch(r"Such as --(\S+) (\S+)", told.value.remedy or ""):
        space_of(**{**given, "streams": None, example[1]: example[2]})  # type: ignore[arg-type]
    else:
        assert "twice" in str(told.value)


def test_too_many_points_are_refused() -> None:
    with pytest.raises(UsageError, match="at most"):
        space.check_size(space.Space(faces=tuple(range(600))).points())


@pytest.mark.parametrize("resolution", ["640", "10x10", "640x480x3", "99999x99999", ""])
def test_a_size_that_no_worker_can_be_shown_is_refused_first(resolution: str) -> None:
    with pytest.raises(UsageError, match="resolution"):
        check_frames(space.Space(resolutions=(resolution,)))


def test_workers_are_given_fewer_large_frames() -> None:
    assert space.frame_count(640, 480) == 54
    assert space.frame_count(64, 64) == 60
    assert space.frame_count(8192, 8192) == 8


# --- figures -------------------------------------------------------------------------------------------------------


def test_latency_is_over_all_streams_and_throughput_is_their_sum() -> None:
    found = figures.figures(side("CPU", turn(0, (10.0, 10.0), (20.0, 20.0))))

    assert found is not None
    assert (found.p50_ms, found.p95_ms, found.frames) == (20.0, 20.0, 4)
    assert found.per_second == pytest.approx(100 + 50)
    assert found.cpu_ms == pytest.approx(10.0)
    assert found.energy_mj is None


def test_a_meter_that_failed_once_gives_no_figure() -> None:
    blind = replace(turn(1, (5.0,)), cpu_s=Unread(reason="gone"))
    found = figures.figures(side("CPU", turn(0, (5.0,)), blind))
    assert found is not None
    assert found.cpu_ms is None


def test_energy_is_per_frame_of_what_tells() -> None:
    one = replace(turn(0, (5.0, 5.0)), gpu_mj=30, package_mj=Unread(reason="root only"))
    both = replace(one, package_mj=10)
    assert [getattr(figures.figures(side("GPU", each)), "energy_mj", 0) for each in (one, both)] == [15.0, 20.0]


def test_nothing_timed_gives_no_figures() -> None:
    assert figures.figures(side("GPU")) is None


def test_the_ratio_is_of_throughputs_in_pairs_and_needs_five() -> None:
    cpu = side("CPU", *(turn(pair, (10.0,)) for pair in range(6)))
    gpu = side("GPU", *(turn(pair, (5.0,)) for pair in range(6)))
    found = figures.ratio(Row(point=Point(WORK), sides=(cpu, gpu)))

    assert found is not None
    assert found.estimate == pytest.approx(2.0)
    few = replace(gpu, rounds=gpu.rounds[:4])
    assert figures.ratio(Row(point=Point(WORK), sides=(cpu, few))) is None
    assert figures.ratio(Row(point=Point(WORK), sides=(cpu,))) is None


# --- meters --------------------------------------------------------------------------------------------------------


def test_a_package_counter_that_starts_again_is_counted_on() -> None:
    before = meters.Readings(1.0, (), (meters.Package("intel-rapl:0", 990_000, 999_999),))
    after = meters.Readings(3.5, (), (meters.Package("intel-rapl:0", 10_000, 999_999),))
    assert meters.package_mj_between(before, after) == 20
    assert meters.cpu_between(before, after) == 2.5


def test_package_counters_are_read_from_the_kernels_files_and_parts_of_packages_are_not_added(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:0:0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text("123\n")
        (tmp_path / name / "max_energy_range_uj").write_text("1000\n")
    assert meters.packages(tmp_path) == (meters.Package("intel-rapl:0", 123, 1000),)
    assert isinstance(meters.packages(tmp_path / "none"), Unread)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("no number")
    assert isinstance(meters.packages(tmp_path), Unread)


def gpu(index: int, energy: int | Unread, *processes: GpuProcess) -> GpuSample:
    return GpuSample(index, utilisation=0, memory_used=0, energy_mj=energy, compute=processes, graphics=processes)


def test_energy_of_gpus_that_do_not_belong_together_is_none() -> None:
    def readings(*gpus: GpuSample) -> meters.Readings:
        return meters.Readings(0.0, gpus, ())

    assert meters.gpu_mj_between(readings(gpu(0, 5), gpu(1, 7)), readings(gpu(0, 6), gpu(1, 10))) == 4
    for after in (readings(gpu(0, 4)), readings(gpu(1, 9)), readings(), readings(gpu(0, Unread(reason="no counter")))):
        assert isinstance(meters.gpu_mj_between(readings(gpu(0, 5)), after), Unread)


def test_gpu_memory_is_what_nvml_books_to_a_stream_counted_once_per_gpu() -> None:
    samples = (gpu(0, 1, GpuProcess(11, 100), GpuProcess(12, 50)), gpu(1, 1, GpuProcess(11, 7)))
    assert meters.gpu_memory_of(samples, (11, 12)) == (107, 50)
    assert isinstance(meters.gpu_memory_of(samples, (11, 99)), Unread)
    assert isinstance(meters.gpu_memory_of(samples, (None,)), Unread)


# --- leaks ---------------------------------------------------------------------------------------------------------


def leaking(kind: str, sizes: list[int]) -> Leak:
    return leaks.leak_of(kind, side("CPU"), [(100 * (number + 1), size) for number, size in enumerate(sizes)])


def test_memory_that_grows_all_the_time_is_a_leak_and_one_step_is_not() -> None:
    growing = leaking("frames", [10_000_000 + 100_000 * number for number in range(24)])
    step = leaking("frames", [10_000_000] * 12 + [30_000_000] * 12)
    flat = leaking("frames", [10_000_000 + 4096 * (number % 2) for number in range(24)])

    assert growing.growth == pytest.approx(1000.0)
    assert [one.leaks for one in (growing, step, flat)] == [True, False, False]


def test_growth_that_nobody_would_meet_is_no_leak() -> None:
    assert leaking("frames", [10_000_000 + 1_000 * number for number in range(24)]).leaks is False


def test_a_process_that_died_early_gives_no_answer() -> None:
    assert leaking("cycles", [1, 2, 3]).leaks is None
    assert leaking("cycles", []).done == 0


# --- advice --------------------------------------------------------------------------------------------------------


def advised(*rows: Row, verdict: Verdict = Verdict.ACCELERATED, limit: float | None = None) -> tuple[str, int, str]:
    (found,) = advice.advise(rows, verdict, limit)
    return found.choice.value, found.streams, found.text


def test_the_highest_throughput_wins_with_the_fewest_processes_that_come_close() -> None:
    rows = (row(1, cpu=figured(100), gpu=figured(300)), row(2, cpu=figured(190), gpu=figured(310)))
    choice, streams, said = advised(*rows)
    assert (choice, streams) == ("gpu", 1)
    assert "The best with delegate=CPU is 190" in said


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - advice.PROVEN))
def test_a_gpu_that_is_not_proven_is_never_recommended(verdict: Verdict) -> None:
    choice, _, said = advised(row(1, cpu=figured(100), gpu=figured(900)), verdict=verdict)
    assert choice == "cpu"
    assert verdict.value in said
    assert advised(row(1, gpu=figured(900)), verdict=verdict)[0] == "neither"


def test_a_limit_on_latency_rules_out_what_does_not_keep_to_it() -> None:
    rows = (row(1, cpu=figured(100, p95=9)), row(4, cpu=figured(300, p95=40)))
    assert advised(*rows, limit=10)[:2] == ("cpu", 1)
    choice, _, said = advised(*rows, limit=5)
    assert choice == "neither"
    assert "Nothing keeps to 5 ms" in said


def test_a_gpu_that_is_slower_and_spares_the_cpu_is_said_to() -> None:
    _, _, said = advised(row(1, cpu=figured(100, cpu_ms=8.0), gpu=figured(90, cpu_ms=1.0)), verdict=Verdict.SLOWER)
    assert "leaves the CPU more room" in said


def test_frames_without_faces_recommend_nothing() -> None:
    assert advised(row(1, cpu=figured(100, faces=0.1)))[0] == "neither"


def test_a_row_without_figures_is_no_candidate() -> None:
    (found,) = advice.advise([Row(point=Point(WORK), sides=(side("CPU"),))], Verdict.ACCELERATED, None)
    assert (found.choice, found.text) == (Choice.NEITHER, "Nothing could be timed.")


# --- report --------------------------------------------------------------------------------------------------------


def report(*rows: Row, **changes: object) -> BenchReport:
    whole = BenchReport(
        host=Host(platform="linux", machine="x86_64", nvml=Unread(reason="none"), cpu="A\x1b[31mCPU", cores=2),
        subject=Subject("/venv/bin/python", "1.2.2", "named", Verdict.EMULATED, "llvmpipe"),
        model=ModelFile("default", "0" * 64),
        input="portrait",
        identity=Identity(machine="linux x86_64", workload="640x480"),
        rows=rows,
        advice=advice.advise(rows, Verdict.EMULATED, None),
    )
    return replace(whole, **changes)


def full() -> BenchReport:
    refused = Side(delegate="GPU", outcome="refused", error="no display")
    first = row(1, cpu=figured(100), gpu=figured(9, p95=120))
    second = Row(point=Point(WORK, 2), sides=(side("CPU"), refused), figures={"CPU": figured(180)})
    third = row(4, gpu=figured(8, p95=500))
    leak = leaking("frames", [10_000_000 + 100_000 * number for number in range(24)])
    return report(first, second, third, leaks=(leak, leaking("cycles", [])), interrupted=True, missing=1)


def test_the_recommendation_comes_first_and_what_was_not_measured_is_said() -> None:
    shown = text.render(full(), width=100)
    assert shown.splitlines()[0].startswith("640x480, 1 face, video: Use delegate=CPU with 2 processes")
    for part in ("GPU: refused: no display", "memory grows", "no answer (ran)", "Interrupted: 1 point", "emulated"):
        assert part in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("width", [1, 40, 400])
def test_it_can_be_shown_in_ascii_and_at_any_width(width: int) -> None:
    text.render(full(), width=width, encoding="ascii").encode("ascii")


def test_the_json_is_read_back_as_it_was() -> None:
    whole = full()
    assert msgspec.json.decode(keeping.encode(whole), type=BenchReport) == whole


def test_files_are_whole_and_a_bad_folder_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    keeping.check(tmp_path / "out")
    keeping.keep(tmp_path / "out", full(), {"svg": b"<svg/>"})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bench.json", "bench.svg"]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        keeping.check(tmp_path / "file")


def test_there_is_no_picture_of_nothing() -> None:
    assert plots.pictures(report()) == {}
