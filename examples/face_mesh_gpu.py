"""FaceMesh with the delegate chosen explicitly; says which device really did the work, and draws the mesh.

    python face_mesh_gpu.py --model face_landmarker.task --input video.mp4 --output mesh.mp4
    python face_mesh_gpu.py --model face_landmarker.task --input camera:0 --show
    python face_mesh_gpu.py --model face_landmarker.task --input video.mp4 --delegate cpu

Needs mediapipe, numpy and OpenCV. The model: https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker
What it says of the device is read from this process (log, libraries, device files). That can refute the GPU, and make
it likely; the proof needs a second process and a CPU run beside it: `envcheck check --python EXE`, `envcheck watch`.
"""

import argparse
import os
import re
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

# Before MediaPipe is imported: 0.10.8 to 0.10.35 then log which calculator runs each model.
os.environ.setdefault("GLOG_vmodule", "inference_calculator=1")

import cv2
import mediapipe as mp
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

WARM_UP = 10  # the first frames compile shaders and are no measure of anything
GL_LINE = re.compile(r"GL version: .*?\((?P<version>.*?)\), renderer: (?P<renderer>.*)")
CALCULATOR = re.compile(r"Using (\w+) for InferenceCalculator")
SOFTWARE = re.compile(r"llvmpipe|softpipe|swrast|swiftshader", re.IGNORECASE)
TAIL = re.compile(r"cannot be created: *")


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a face_landmarker.task bundle")
    parser.add_argument("--input", type=camera_or_path, default="camera:0", help="a video, an image, or camera:NUMBER")
    parser.add_argument("--delegate", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--output", type=Path, help="write the frames with the mesh to this video (.mp4)")
    parser.add_argument("--show", action="store_true", help="show the frames in a window; q ends")
    parser.add_argument("--frames", type=int, help="stop after so many frames; default: at the end of the input")
    asked = parser.parse_args(argv)
    if not asked.model.is_file():
        parser.error(f"--model {asked.model}: no such file")
    if asked.frames is not None and asked.frames < 1:
        parser.error(f"--frames {asked.frames}: not a number above 0")
    if asked.show and sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        parser.error("--show needs a display, and there is none here; --output writes the frames to a video")
    return asked


def camera_or_path(text):
    """The number of a camera, or a path."""
    kind, _, number = text.partition(":")
    if kind != "camera":
        return text
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: a camera has a number, as in camera:0")
    return int(number)


@contextmanager
def native_log():
    """What native code prints on standard error meanwhile: a list of lines, complete at the end; also shown at once."""
    lines = []
    kept, (source, sink) = os.dup(2), os.pipe()

    def follow():
        with os.fdopen(source, "rb") as stream:
            for line in stream:
                os.write(kept, line)
                lines.append(line.decode("utf-8", "replace").rstrip())

    follower = threading.Thread(target=follow)
    follower.start()
    sys.stderr.flush()
    os.dup2(sink, 2)
    os.close(sink)
    try:
        yield lines
    finally:
        os.dup2(kept, 2)  # closes the last writing end, which ends the thread
        follower.join()
        os.close(kept)


def create(model, delegate):
    """The delegate by its name. Never by number: 1 is the GPU up to MediaPipe 1.2.0 and the CPU from 1.2.2 on."""
    members = tasks.BaseOptions.Delegate
    options = vision.FaceLandmarkerOptions(
        # The bytes, not the path: a path outside the working directory is resolved differently by some versions.
        base_options=tasks.BaseOptions(
            model_asset_buffer=model.read_bytes(), delegate=members.GPU if delegate == "gpu" else members.CPU
        ),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
    )
    return vision.FaceLandmarker.create_from_options(options)


def named(where):
    return f"camera:{where}" if isinstance(where, int) else where


def frames_of(where):
    """BGR frames of a camera, a video or an image. Raises SystemExit with a sentence where there are none."""
    capture = cv2.VideoCapture(where)
    if not capture.isOpened():
        raise SystemExit(f"{named(where)} cannot be opened; is it a video, an image or camera:NUMBER?")
    try:
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield frame
    finally:
        capture.release()


def to_image(frame):
    """RGBA: macOS takes nothing else on the GPU, and Linux takes it everywhere. OpenCV's frames are BGR."""
    return mp.Image(image_format=mp.ImageFormat.SRGBA, data=cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA))


def writer_for(path, frame):
    """A video as large as the frame. Raises SystemExit with a sentence where OpenCV cannot write it."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (frame.shape[1], frame.shape[0]))
    if not writer.isOpened():
        raise SystemExit(f"--output {path} cannot be written; does its folder exist, does its name end in .mp4?")
    return writer


def draw(frame, landmarks):
    height, width = frame.shape[:2]
    points = [(int(mark.x * width), int(mark.y * height)) for mark in landmarks]
    for edge in vision.FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION:
        cv2.line(frame, points[edge.start], points[edge.end], (128, 224, 64), 1, cv2.LINE_AA)


def held_by_this_process():
    """(libraries mapped, files open) on Linux; (None, None) where they cannot be read."""
    try:
        maps = Path("/proc/self/maps").read_text()
        names = set(re.findall(r"/([^/\n]+\.so[^/\n]*)$", maps, re.MULTILINE))
        links = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
    except OSError:
        return None, None
    return names, links


def device_of(delegate, log):
    """One sentence: which device did the work, as far as this process can tell."""
    if delegate == "cpu":
        return "CPU: delegate=CPU was asked for"
    calculators = [match[1] for line in log if (match := CALCULATOR.search(line))]
    if calculators and not any(name.startswith("Gl") for name in calculators):
        return "CPU: delegate=GPU was accepted and ignored, the calculators are {}".format(", ".join(calculators))
    contexts = [match for line in log if (match := GL_LINE.search(line))]
    if not contexts:
        return "unknown, probably CPU: delegate=GPU was accepted, but no GL context was made"
    renderer, version = contexts[-1]["renderer"].strip(), contexts[-1]["version"]
    if SOFTWARE.search(renderer):
        return f"CPU, emulating a GPU: {renderer} ({version}). The CPU delegate is many times faster"
    libraries, files = held_by_this_process()
    if libraries is None:
        return f"probably GPU: {renderer} ({version}); libraries and device files cannot be read here"
    driver = any(name.startswith("libnvidia-eglcore") for name in libraries)
    device = any(re.match(r"/dev/nvidia\d", path) for path in files)
    if "NVIDIA" in version and driver and device:
        return f"GPU: {renderer} ({version}); NVIDIA's driver is mapped and its device is open"
    signs = f"NVIDIA's driver mapped: {driver}, its device open: {device}"
    return f"another GPU, or none: {renderer} ({version}); {signs}"


def run(asked, landmarker):
    """(milliseconds of each detection, number of frames with a face). Decoding and drawing are not in the times."""
    times, faces, writer = [], 0, None
    for number, frame in enumerate(frames_of(asked.input)):
        image = to_image(frame)
        started = time.perf_counter()
        result = landmarker.detect_for_video(image, number * 33)
        times.append((time.perf_counter() - started) * 1e3)
        faces += bool(result.face_landmarks)
        for landmarks in result.face_landmarks:
            draw(frame, landmarks)
        if asked.output:
            writer = writer or writer_for(asked.output, frame)
            writer.write(frame)
        if asked.show:
            cv2.imshow("face mesh", frame)
            if cv2.waitKey(1) == ord("q"):
                break
        if number + 1 == asked.frames:
            break
    if writer is not None:
        writer.release()
    return times, faces


def percentile_95(times):
    return sorted(times)[-(-95 * len(times) // 100) - 1]


def main(argv=None):
    asked = arguments(argv)
    happened = "was refused"
    try:
        with native_log() as log:
            landmarker = create(asked.model, asked.delegate)
        happened = "failed at work"
        with landmarker:
            times, faces = run(asked, landmarker)
            device = device_of(asked.delegate, log)
    except cv2.error as error:  # such as --show with opencv-python-headless
        print(f"OpenCV failed: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - MediaPipe raises RuntimeError, NotImplementedError, OSError and others
        reason = TAIL.split(" ".join(str(error).split()))[-1].lstrip("; ")
        print(f"delegate={asked.delegate.upper()} {happened}: {reason}", file=sys.stderr)
        print(f"Why, and what to do: envcheck check --python {sys.executable}", file=sys.stderr)
        return 1
    if not times:
        print(f"{named(asked.input)} has no frames", file=sys.stderr)
        return 1
    print(f"MediaPipe {mp.__version__}, delegate={asked.delegate.upper()}")
    print(f"device: {device}")
    print(f"frames: {len(times)}, with a face: {faces}")
    steady = times[WARM_UP:]
    if steady:
        median, p95 = statistics.median(steady), percentile_95(steady)
        print(f"detection alone: median {median:.1f} ms, p95 {p95:.1f} ms over {len(steady)} frames")
    if not faces:
        print("No face was found, so the landmark model never ran: these times mean nothing.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
