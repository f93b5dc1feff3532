"""Videos, cameras and downloads, with the real decoder and a real server."""

from __future__ import annotations

import hashlib
import http.server
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from envcheck.errors import InfrastructureError, UsageError
from envcheck.model import Workload
from envcheck.workload.download import Remote, fetch
from envcheck.workload.motion import build_frames
from envcheck.workload.source import load_stills

BODY = bytes(range(256)) * 1000
REMEDY = "put it there yourself"


def write_video(path: Path, count: int) -> Path:
    """A video of `count` grey frames, 64x48, each brighter than the one before."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
    for level in range(count):
        writer.write(np.full((48, 64, 3), 10 + 10 * level, np.uint8))
    writer.release()
    return path


def test_a_video_gives_its_frames_in_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "Vidéo 動画.avi", 8)
    levels = [int(picture.mean()) for picture in load_stills(str(path))]

    assert levels == pytest.approx([10 + 10 * level for level in range(8)], abs=3)


def test_a_video_gives_at_most_as_many_frames_as_asked_for(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", 8)
    made = build_frames(Workload(input=str(path), resolution="64x64"), 5)

    assert made.record.count == 5
    assert made.record.input == str(path)
    assert made.frames[:, 32, 32, 0].tolist() == pytest.approx([10, 20, 30, 40, 50], abs=3)


def test_a_short_video_gives_fewer(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", 3)

    assert build_frames(Workload(input=str(path), resolution="64x64"), 60).record.count == 3


def test_a_video_cut_in_the_middle_gives_the_frames_that_are_left(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", 20)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])

    assert 1 <= len(list(load_stills(str(path)))) < 20


def test_a_video_without_frames_is_a_usage_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", 0)

    with pytest.raises(UsageError, match=r"video\.avi"):
        list(load_stills(str(path)))


def test_noise_after_a_video_header_is_a_usage_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.avi", 8)
    noise = np.random.default_rng(3).integers(0, 256, path.stat().st_size - 16, dtype=np.uint8).tobytes()
    path.write_bytes(path.read_bytes()[:16] + noise)

    with pytest.raises(UsageError, match=r"video\.avi"):
        list(load_stills(str(path)))


@pytest.mark.skipif(Path("/dev/video99").exists(), reason="there is a camera 99; remove it to enable this")
def test_a_camera_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="/dev/video99"):
        list(itertools.islice(load_stills("camera:99"), 1))


class Server(http.server.ThreadingHTTPServer):
    """Answers every request with `answer`."""

    daemon_threads = True
    answer: Callable[[Any], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Handler], None]], Remote]]:
    """Gives the address of a server that answers as told; what it should serve is BODY."""
    monkeypatch.setenv("no_proxy", "*")
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def answer(with_: Callable[[Handler], None]) -> Remote:
        server.answer = with_
        return Remote(f"http://127.0.0.1:{server.server_port}/f", len(BODY), hashlib.sha256(BODY).hexdigest())

    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def send(handler: Handler, data: bytes, length: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)


def trickle(handler: Handler) -> None:
    send(handler, b"", len(BODY))
    for _ in range(2000):
        time.sleep(0.05)
        try:
            handler.wfile.write(b"x")
        except OSError:
            return


Serve = Callable[[Callable[[Handler], None]], Remote]


def test_a_file_is_downloaded_whole(serve: Serve) -> None:
    assert fetch(serve(lambda handler: send(handler, BODY)), remedy=REMEDY) == BODY


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(lambda handler: handler.send_error(404), "answered 404", id="missing"),
        pytest.param(lambda handler: send(handler, BODY[:-1], len(BODY)), "another file: 255999 bytes", id="short"),
        pytest.param(lambda handler: send(handler, BODY + b"x"), "another file: 256001 bytes", id="long"),
        pytest.param(lambda handler: send(handler, BODY[::-1]), "another file: 256000 bytes", id="other"),
        pytest.param(lambda handler: handler.wfile.write(b"\0" * 100), "cannot be downloaded", id="garbage"),
        pytest.param(lambda handler: None, "cannot be downloaded", id="silence"),
        pytest.param(trickle, "too slow", id="trickle"),
    ],
)
def test_a_failed_download_ends_soon_with_the_reason(
    serve: Serve, answer: Callable[[Handler], None], says: str
) -> None:
    began, deadline_s = time.monotonic(), 1.0 if answer is trickle else 60.0
    with pytest.raises(InfrastructureError, match=says) as caught:
        fetch(serve(answer), remedy=REMEDY, deadline_s=deadline_s, silence_s=60.0)

    assert caught.value.remedy == REMEDY
    assert time.monotonic() - began < 50, "it waited for what never came"


def test_a_refused_connection_is_an_infrastructure_error(serve: Serve) -> None:
    nobody = Remote("http://127.0.0.1:9/f", 1, "")

    with pytest.raises(InfrastructureError, match="refused"):
        fetch(nobody, remedy=REMEDY)
