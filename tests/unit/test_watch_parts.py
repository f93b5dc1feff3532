"""The parts of watch that read: /proc, NVML's answers, the native log on its way through, the pace, the report."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envcheck.model import GpuProcess, GpuSample, Unread
from envcheck.probes import nativelog
from envcheck.report.watch import render
from envcheck.watch import proc
from envcheck.watch.gpus import Reading, Tally, parse_work, power
from envcheck.watch.pace import SLOWEST_S, STEADY_S, Pace
from envcheck.watch.proc import COMPUTE_POOL, parse_stat, telling_libraries, telling_threads
from envcheck.watch.session import concluded
from envcheck.watch.stderr import Telling, read_log, with_vmodule
from envcheck.watch.witnesses import NVIDIA_DEVICE, opened
from envcheck.watched import GpuWork, GpuWorker, WatchReport
from tests.unit.test_watch_judging import ON_NVIDIA, PROVEN, process, seen

STAT = b"42 (a (b) c) S 7 42 42 0 -1 4194560 1 0 0 0 120 30 5 6 20 0 13 0 98765 4096000 300 18446744073709551615"


def test_a_stat_file_is_read_whatever_the_name() -> None:
    stat = parse_stat(STAT)

    assert stat is not None
    assert (stat.pid, stat.name, stat.state, stat.parent, stat.threads) == (42, "a (b) c", "S", 7, 13)
    assert (stat.ticks, stat.children_ticks, stat.start, stat.size) == (150, 11, 98765, 4096000)
    assert not stat.of_kernel


def test_a_thread_of_the_kernel_is_known() -> None:
    stat = parse_stat(STAT.replace(b"4194560", b"2129984"))

    assert stat is not None
    assert stat.of_kernel


@given(st.binary(max_size=300))
def test_any_bytes_are_a_stat_or_none(data: bytes) -> None:
    parse_stat(data)
    telling_libraries(data)
    parse_work(data)


def test_a_device_file_counts_where_it_is_open_and_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "PROC", str(tmp_path))
    for name in ("fd", "fdinfo"):
        (tmp_path / "7" / name).mkdir(parents=True)
    for number, flags in enumerate(("0100002", "012100000")):
        (tmp_path / "7" / "fd" / str(number)).symlink_to("/dev/null")
        (tmp_path / "7" / "fdinfo" / str(number)).write_text(f"pos:\t0\nflags:\t{flags}\n", encoding="ascii")

    said = "/dev/nvidia0 (no device of NVIDIA's driver)"
    assert proc.as_device(7, "0", "/dev/nvidia0") == said
    assert not opened(process(devices=(said,)), NVIDIA_DEVICE)
    assert proc.as_device(7, "0", "/dev/dri/renderD128") == "/dev/dri/renderD128"
    assert proc.as_device(7, "1", "/dev/nvidia0") == ""
    assert proc.as_device(7, "2", "/dev/nvidia0") == ""
    monkeypatch.setattr(proc, "NVIDIA_MAJOR", os.major(Path("/dev/null").stat().st_rdev))
    assert proc.as_device(7, "0", "/dev/nvidia0") == "/dev/nvidia0"


def test_libraries_are_told_from_maps() -> None:
    maps = (
        b"7f00-7f01 r-xp 00000000 08:01 11  /usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.570.124.06\n"
        b"7f01-7f02 r--p 00001000 08:01 11  /usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.570.124.06\n"
        b"7f02-7f03 r-xp 00000000 08:01 12  /a path/dri/swrast_dri.so (deleted)\n"
        b"7f03-7f04 r-xp 00000000 08:01 13  /usr/lib/libc.so.6\n"
        b"7f04-7f05 rw-p 00000000 00:00 0   [heap]\n7f05-7f06 rw-p 00000000 00:00 0 \n"
    )

    assert telling_libraries(maps) == {
        "/usr/lib/x86_64-linux-gnu/libnvidia-eglcore.so.570.124.06",
        "/a path/dri/swrast_dri.so",
    }


def test_llvmpipes_compute_threads_are_known_by_their_place() -> None:
    """As on a real run: they bear the program's name, and follow the rasteriser's threads."""
    names = {10: "python", 11: "python", 28: "llvmpipe-0", 29: "llvmpipe-1", 30: "python", 31: "python"}
    names |= {32: "python:disk$0", 33: "mediapipe_gl_ru", 34: "mediapipe/34"}

    assert telling_threads(names) == {
        28: "llvmpipe-0",
        29: "llvmpipe-1",
        30: COMPUTE_POOL,
        31: COMPUTE_POOL,
        33: "mediapipe_gl_ru",
    }
    assert telling_threads({1: "python", 2: "python"}) == {}


def test_mediapipes_own_threads_are_none_of_llvmpipes_by_either_of_their_names() -> None:
    """1.0.1 and later call themselves by another name."""
    names = {28: "llvmpipe-0", 29: "llvmpipe-1", 30: "python", 31: "drishti_gl_runn", 32: "drishti"}

    assert telling_threads(names) == {
        28: "llvmpipe-0",
        29: "llvmpipe-1",
        30: COMPUTE_POOL,
        31: "drishti_gl_runn",
    }


def sample(energy: int | Unread = 0, **other: object) -> GpuSample:
    base = GpuSample(index=0, utilisation=0, memory_used=0, energy_mj=energy, compute=(), graphics=())
    return msgspec.structs.replace(base, **other)


def test_power_is_energy_over_time_or_unread() -> None:
    first, last = Reading(10.0, (sample(1000),)), Reading(12.0, (sample(181_000),))

    assert power(first, last, 0) == pytest.approx(90.0)
    assert isinstance(power(first, first, 0), Unread)
    assert isinstance(power(first, Reading(12.0, (sample(Unread(reason="NotSupported")),)), 0), Unread)
    assert isinstance(power(first, last, 5), Unread)


def test_a_tally_keeps_the_greatest_and_tells_ours_from_others() -> None:
    tally = Tally()
    for size in (64, None, 128, 32):
        tally.add(sample(graphics=(GpuProcess(pid=7, memory=size), GpuProcess(pid=9))))

    assert tally.lists("graphics", frozenset({7})) == (GpuProcess(pid=7, memory=128),)
    assert tally.lists("compute", frozenset({7})) == ()
    assert tally.others(frozenset({7})) == 1


def test_a_list_that_may_not_be_read_is_not_an_empty_one() -> None:
    tally = Tally()
    tally.add(sample(graphics=Unread(reason="NoPermission")))
    tally.add_work(Unread(reason="NotSupported"))

    assert isinstance(tally.lists("graphics", frozenset({7})), Unread)
    assert isinstance(tally.others(frozenset()), Unread)
    assert isinstance(tally.works(frozenset({7})), Unread)


def test_work_is_counted_by_question_from_the_first_on_and_an_old_sample_is_not_counted_again() -> None:
    tally = Tally()
    answers = ((), (5, 30), (5, 30), (), (8, 0), (9, 10))
    for answer in answers:
        tally.add_work((GpuWork(pid=7, at=answer[0], sm=answer[1]),) if answer else ())

    assert tally.works(frozenset({7})) == (GpuWorker(pid=7, sm=30, at_work=2, asked=5),)
    assert tally.works(frozenset({8})) == ()


def test_several_samples_in_one_answer_are_one() -> None:
    tally = Tally()
    tally.add_work(tuple(GpuWork(pid=7, sm=20 + at, at=at) for at in (3, 1, 2)))

    assert tally.works(frozenset({7})) == (GpuWorker(pid=7, sm=23, at_work=1, asked=1),)


def test_answers_of_the_payload_are_parsed_or_unread() -> None:
    good = b'{"gpus": [{"index": 0, "processes": [{"pid": 7, "sm": 3, "memory": 1, "at": 5}]}]}'
    found = parse_work(good)

    assert not isinstance(found, Unread)
    assert found[0].processes == (GpuWork(pid=7, sm=3, memory=1, at=5),)
    none = parse_work(b'{"gpus": [{"index": 0, "processes": {"unread": "NotSupported"}}]}')
    assert not isinstance(none, Unread)
    assert isinstance(none[0].processes, Unread)
    assert isinstance(parse_work(b'{"gpus": 3}'), Unread)
    assert isinstance(parse_work(b'{"unread": "no driver"}'), Unread)


def test_the_pace_slows_down_and_never_costs_more_than_its_share() -> None:
    pace = Pace()
    for _ in range(20):
        pace = pace.after(0.0005, joined=False)
    assert pace.seconds == STEADY_S
    assert pace.after(0.0001, joined=True).seconds <= 0.1
    assert pace.after(0.02, joined=True).seconds == pytest.approx(5.0)
    assert pace.after(9.0, joined=False).seconds == SLOWEST_S


def test_the_users_own_vmodule_stays() -> None:
    assert with_vmodule({"GLOG_vmodule": "mine=3"})["GLOG_vmodule"].startswith("mine=3,inference_calculator=1")
    assert with_vmodule({})["GLOG_vmodule"].startswith("inference_calculator=1")


def test_the_native_log_is_read_with_what_silences_it() -> None:
    lines = [
        "I0000 inference_calculator.cc:104] Using GlAdvanced for InferenceCalculator with x",
        "I0000 inference_calculator.cc:104] Using Xnnpack for InferenceCalculator with faceblendshapesgraph__4",
        "I0000 gl_context.cc:408] GL version: 3.2 (OpenGL ES 3.2 NVIDIA 570.144), renderer: NVIDIA H200",
    ]
    log = read_log(lines, {"GLOG_minloglevel": "2", "GLOG_log_dir": "/\udcff", "HOME": "/"})

    assert (log.calculators, log.delegated) == (("GlAdvanced", "Xnnpack"), ("GlAdvanced",))
    assert (log.renderer, log.version) == ("NVIDIA H200", "OpenGL ES 3.2 NVIDIA 570.144")
    assert log.silencers == ("GLOG_log_dir=/\ufffd", "GLOG_minloglevel=2")


def test_a_line_that_says_the_same_again_stands_once_and_a_new_one_is_never_crowded_out() -> None:
    telling = Telling()
    for second in range(1000):
        telling.feed(b"I0000 00:00:%d.1 7 inference_calculator.cc:104] Using Gl for InferenceCal" % second)
        telling.feed(b"culator with output_stream a\nnothing\n")
    telling.feed(b"I0000 00:00:9.1 7 inference_calculator.cc:104] Using Cpu for InferenceCalculator with a\nUsing Gl")

    assert nativelog.calculators(telling.lines) == ("Gl", "Cpu")
    assert "999.1" in telling.lines[0]


def test_a_model_that_gets_an_interpreter_on_the_cpu_is_heard_of() -> None:
    telling = Telling()
    telling.feed(
        b"W0 1 inference_feedback_manager.cc:121] Feedback manager requires a model with a single signature i\n"
    )

    assert read_log(telling.lines, {}).on_cpu
    assert not read_log([], {}).on_cpu


def test_of_two_gl_contexts_the_one_that_was_made_last_comes_last() -> None:
    telling = Telling()
    for renderer in (b"NVIDIA H200", b"llvmpipe", b"NVIDIA H200"):
        telling.feed(b"I0 gl_context.cc:408] GL version: 3.2 (OpenGL ES 3.2), renderer: %s\n" % renderer)

    assert [line.renderer for line in nativelog.gl_lines(telling.lines)] == ["llvmpipe", "NVIDIA H200"]


def test_the_report_begins_with_the_verdict_and_fits_the_terminal() -> None:
    for width in (20, 80, 300):
        text = render(concluded(PROVEN), width=width)
        assert text.startswith("envcheck: on-gpu: ")
        assert "570.124.06" in text
    text = render(concluded(seen(ON_NVIDIA)), width=80)
    assert text.startswith("envcheck: unknown: ")
    assert "What would settle it: " in text
    assert "GPU121" in text


def test_a_name_cannot_steer_the_terminal() -> None:
    evil = msgspec.structs.replace(process(), name="\x1b[2Jevil")
    text = render(concluded(seen(evil, command="\x1b]0;title\x07")), width=80)

    assert "\x1b" not in text
    assert "evil" in text


def test_the_report_is_json_with_its_schema_and_comes_back() -> None:
    data = msgspec.json.encode(concluded(PROVEN))

    assert b'"schema":"envcheck.watch/1"' in data
    assert msgspec.json.decode(data, type=WatchReport) == concluded(PROVEN)
