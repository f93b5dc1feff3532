"""SRC829-839: what a Dockerfile's image lacks, or has too much of, for MediaPipe on a GPU."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envcheck.compat import CudaKind, Tables, WheelFacts, cuda_support, load_tables, outgrown, wheel_facts
from envcheck.invented import INVENTED
from envcheck.lint.bases import DEFAULT, LIBRARIES, PACKAGES, brought
from envcheck.lint.finding import Level
from envcheck.lint.image import Beside, Image, image_of
from envcheck.lint.steering import SOFTWARE, grants_graphics, steers
from envcheck.lint.textual import Spot, Text

MEDIAPIPE = "mediapipe"
OPENCVS = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
VARIABLES = ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")
WITHOUT_CUDA = frozenset(
    """
    mediapipe numpy opencv-python opencv-contrib-python opencv-python-headless opencv-contrib-python-headless
    fastapi uvicorn flask flask-cors gunicorn starlette django pillow requests httpx aiohttp websockets pydantic
    pydantic-settings scipy pandas matplotlib tqdm python-multipart boto3 redis loguru pyyaml python-dotenv protobuf
    scikit-learn scikit-image imageio imageio-ffmpeg click typer rich streamlit gradio pip setuptools wheel uv
    sounddevice attrs absl-py flatbuffers pytest psutil jinja2 werkzeug eventlet flask-socketio python-socketio
    paho-mqtt celery sqlalchemy pymongo
    """.split()  # noqa: SIM905 (one word for one package reads better)
)
"""Python packages that do nothing with CUDA."""
CUDA_PACKAGE = re.compile(
    r"(?:cuda-toolkit|cuda-libraries|cuda-runtime|libcudnn|cuda-cudart|nvidia-cuda-toolkit|cudnn)"
)
CUDA_WHEEL = re.compile(r"nvidia-(?:cudnn|cuda-runtime|cublas|cuda-nvrtc|cufft|curand|cusolver|cusparse)")
BUILDS = re.compile(
    r"nvcc|cmake|ninja|\bmake\b|bazel|setup\.py|git clone|\.cu\b|torch|tensorflow|onnx|cupy|numba|ffmpeg|nvenc|conda"
)
COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
GIVES_GRAPHICS = re.compile(
    rb"NVIDIA_DRIVER_CAPABILITIES[\"']?\s*[:=]\s*[\"']?[\w,]*(?:all|graphics|display)"
    rb"|capabilities:\s*\[[^\]]*\b(?:all|graphics|display)\b"
)
PINNED = ("==", "===")


class Case(NamedTuple):
    """What the checks see. `version`: MediaPipe's, "" where it is not known; `exact`: it is written so; `start` and
    `end`: where MediaPipe is installed.
    """

    text: Text
    image: Image
    tables: Tables
    driver: str
    installed: bool
    version: str
    exact: bool
    start: int
    end: int
    gpu: bool
    beside: Beside

    @property
    def platform(self) -> str:
        """The platform of the wheels."""
        return platform_of(self.image)

    @property
    def facts(self) -> WheelFacts | None:
        """What this MediaPipe's wheel is."""
        return wheel_facts(self.version, self.platform, self.tables) if self.version else None

    def name(self) -> str:
        """MediaPipe with its version, in words."""
        newest = "" if self.exact else " (the newest that is allowed here)"
        return f"MediaPipe {self.version}{newest}" if self.version else "MediaPipe"

    def spot(self, code: str, detail: str, level: Level | None = None) -> Spot:
        """A fault at the place where MediaPipe is installed."""
        return Spot(code, self.start, self.end, detail, level)

    def base_spot(self, code: str, detail: str, level: Level | None = None) -> Spot:
        """A fault of the base image."""
        return Spot(code, self.image.origin.start, self.image.origin.end, detail, level)


def faults(text: Text, beside: Beside, version: tuple[int, ...] | None, driver: str) -> Iterator[Spot]:
    """What is wrong with the image of a Dockerfile, for MediaPipe. Raises Unreadable."""
    case = case_of(text, beside, version, driver)
    for check in CHECKS if case.installed or speaks_of_mediapipe(text.text) or version else (cuda_and_driver,):
        yield from (within(spot, case.image) for spot in check(case))


def within(spot: Spot, image: Image) -> Spot:
    """A fault with the extent of the instruction that it is in."""
    at = bisect_right(image.extents, (spot.start, 1 << 62)) - 1
    return spot._replace(first=image.extents[max(at, 0)][0], last=image.extents[max(at, 0)][1])


def speaks_of_mediapipe(text: str) -> bool:
    """Whether a text is about MediaPipe."""
    return re.search(r"mediapipe|face_?mesh|face_?landmark", text, re.IGNORECASE) is not None


def case_of(text: Text, beside: Beside, version: tuple[int, ...] | None, driver: str) -> Case:
    """The facts of one Dockerfile."""
    image, tables = image_of(text, beside), load_tables()
    found = image.python.get(MEDIAPIPE)
    named = ".".join(map(str, version)) if version else ""
    start, end = (found[1].start, found[1].end) if found else (image.origin.start, image.origin.end)
    number, exact = (resolved(found[0], image, tables) if found[0] else ("", False)) if found else (named, True)
    if named and found and found[0] is not None and not exact:
        number, exact = named, True
    return Case(
        text, image, tables, driver, found is not None, number, exact, start, end, expects_gpu(image), beside
    )  # fmt: skip


def expects_gpu(image: Image) -> bool:
    """Whether an image is made for NVIDIA GPUs."""
    visible = image.value("NVIDIA_VISIBLE_DEVICES")
    if visible is not None and visible.strip().lower() in ("", "none", "void"):
        return False
    return image.base.nvidia or any(name in image.env for name in VARIABLES)


def platform_of(image: Image) -> str:
    """The platform of an image in the words of the tables."""
    arm = re.search(r"arm64|aarch64", image.platform) or image.base.machine == "aarch64"
    return "linux-aarch64" if arm else "linux-x86_64"


def python_of(image: Image) -> str:
    """The Python of an image, where it is the base's own."""
    return "" if image.other_python else image.base.python


def resolved(wanted: Requirement, image: Image, tables: Tables) -> tuple[str, bool]:
    """The version that pip takes, and whether it is written so; "" where no known one fits."""
    pins = [one.version for one in wanted.specifier if one.operator in PINNED and "*" not in one.version]
    if pins:
        return pins[0], True
    fitting = [] if image.limited else list(candidates(wanted.specifier, image, tables))
    return (fitting[-1] if fitting else ""), False


def candidates(specifier: SpecifierSet, image: Image, tables: Tables) -> Iterator[str]:
    """The versions with a wheel for this image, oldest first."""
    table, python = tables.mediapipe, python_of(image)
    tag = "cp" + "".join(python.split(".")[:2])
    there = {row.version for row in table.wheels.rows if row.platform == platform_of(image)}
    for row in table.releases.rows:
        fits = not python or "py3" in row.pythons or tag in row.pythons
        if fits and row.version in there and row.version in specifier:
            yield row.version


def capabilities(case: Case) -> Iterator[Spot]:
    """SRC830."""
    given = case.image.env.get("NVIDIA_DRIVER_CAPABILITIES")
    value = given[0] if given else case.image.base.capabilities
    if not case.gpu or value is None or "$" in value or grants_graphics(value):
        return
    if any(GIVES_GRAPHICS.search(case.beside(up + name) or b"") for name in COMPOSE for up in ("", "../")):
        return
    if given:
        yield Spot("SRC830", given[1], given[2], f"NVIDIA_DRIVER_CAPABILITIES={value}")
    elif case.image.base.nvidia:
        yield case.base_spot(
            "SRC830", f"{case.image.name} sets NVIDIA_DRIVER_CAPABILITIES={value}, and no ENV changes it"
        )
    else:
        spot = next((case.image.env[name] for name in VARIABLES if name in case.image.env), None)
        if spot:
            yield Spot("SRC830", spot[1], spot[2], f"NVIDIA_DRIVER_CAPABILITIES is not set, which means {DEFAULT}")


def missing(case: Case, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some libraries that this image certainly lacks."""
    image = case.image
    if not image.base.bare or not image.sure or image.base.family not in PACKAGES:
        return ()
    known = [brought(image.base.family, package.name) for package in image.packages]
    if any(one is None for one in known):
        return ()
    there = image.base.has.union(*(one or frozenset() for one in known))
    return tuple(PACKAGES[image.base.family][name] for name in LIBRARIES if name in names and name not in there)


def gl_libraries(case: Case) -> Iterator[Spot]:
    """SRC831."""
    if case.installed and case.facts is not None and case.facts.gl == "system":
        lacking = missing(case, ("egl", "gles"))
        if lacking:
            yield case.spot(
                "SRC831",
                f"{case.name()} loads {' and '.join(case.facts.needs)}, and nothing installs {' '.join(lacking)}",
            )


def opencv_of(case: Case) -> dict[str, tuple[int, int]]:
    """The OpenCV distributions of an image, each with its place; the one that MediaPipe brings too."""
    image = case.image
    found = {name: (image.python[name][1].start, image.python[name][1].end) for name in OPENCVS if name in image.python}
    brings = case.installed and MEDIAPIPE not in image.bare and brings_opencv(case.version)
    if brings and "opencv-contrib-python" not in image.removed:
        found.setdefault("opencv-contrib-python", (case.start, case.end))
    return found


def brings_opencv(version: str) -> bool:
    """Whether a MediaPipe requires opencv-contrib-python: all but 0.10.30 and 0.10.31."""
    return version not in ("", "0.10.30", "0.10.31")


def opencv_libraries(case: Case) -> Iterator[Spot]:
    """SRC832."""
    found = opencv_of(case)
    if not found or any("headless" in name for name in found):
        return
    lacking = missing(case, ("gl", "glib"))
    if lacking:
        name, (start, end) = next(iter(found.items()))
        brings = name if name in case.image.python else f"{name}, which MediaPipe brings,"
        yield Spot("SRC832", start, end, f"{brings} needs {' and '.join(lacking)}, and nothing installs that")


def wheel(case: Case) -> Iterator[Spot]:
    """SRC833."""
    facts = case.facts
    if not case.installed or facts is None or (facts.gpu != "none" and facts.delegate_passed):
        return
    level = Level.ERROR if case.gpu else Level.NOTE
    what = "takes delegate=GPU and stays on the CPU without a word" if not facts.delegate_passed else "has no GPU code"
    yield case.spot("SRC833", f"{case.name()} for {facts.platform} {what}", level)


def fitting(case: Case) -> Iterator[Spot]:
    """SRC834."""
    found = case.image.python.get(MEDIAPIPE)
    if found is None or found[0] is None or case.image.base.family == "alpine" or case.image.conda:
        return
    wanted, python = found[0], python_of(case.image)
    if any(row.version == case.version for row in case.tables.mediapipe.never_released.rows):
        yield case.spot("SRC834", f"MediaPipe {case.version} was never published")
        return
    known = {row.version for row in case.tables.mediapipe.releases.rows}
    if case.version and case.version not in known:
        return
    if case.facts is not None and (too_old := outgrown(case.facts, python)):
        yield case.spot("SRC834", too_old)
        return
    newest = max(known, key=lambda text: tuple(map(int, text.split("."))), default="")
    if not any(candidates(wanted.specifier, case.image, case.tables)) and newest and in_reach(wanted.specifier, known):
        on = f"Python {python} on {case.platform}" if python else case.platform
        yield case.spot("SRC834", f"{wanted} has no wheel for {on}")


def in_reach(specifier: SpecifierSet, known: set[str]) -> bool:
    """Whether a specifier asks for versions that the tables know."""
    return any(version in specifier for version in known)


def musl(case: Case) -> Iterator[Spot]:
    """SRC835."""
    if case.installed and case.image.base.family == "alpine":
        yield case.base_spot("SRC835", f"{case.image.name} is Alpine Linux, whose C library is musl")


def two_opencvs(case: Case) -> Iterator[Spot]:
    """SRC836: headless beside the other kind is a warning, two of one kind a remark."""
    found = opencv_of(case)
    if len(found) < 2:
        return
    mixed = any("headless" in name for name in found) and not all("headless" in name for name in found)
    here = (case.start, case.end)
    own = [place for place in found.values() if place != here] or list(found.values())
    brings = "" if found.keys() <= case.image.python.keys() else " (MediaPipe brings opencv-contrib-python)"
    yield Spot("SRC836", *own[-1], f"{', '.join(found)}{brings}", Level.WARNING if mixed else Level.NOTE)


def cuda_and_driver(case: Case) -> Iterator[Spot]:
    """SRC837."""
    cuda = case.image.base.cuda
    if not cuda:
        return
    answer = cuda_support(cuda, case.driver or "0", tables=case.tables)
    if answer.kind is CudaKind.NEVER_RELEASED:
        yield case.base_spot("SRC837", answer.because)
    elif case.driver and answer.kind in (CudaKind.TOO_OLD, CudaKind.FORWARD_ONLY):
        level = Level.NOTE if answer.kind is CudaKind.FORWARD_ONLY else None
        yield case.base_spot("SRC837", f"CUDA {cuda}: {answer.because}", level)


def cuda_for_nothing(case: Case) -> Iterator[Spot]:
    """SRC838: only where every Python package is known, and none of them uses CUDA."""
    image = case.image
    wheels = [name for name in image.python if CUDA_WHEEL.match(name)]
    others = set(image.python) - WITHOUT_CUDA - set(wheels)
    script = "\n".join(line for line in case.text.text.splitlines() if not line.lstrip().startswith("#"))
    if not case.installed or not image.complete or others or BUILDS.search(script):
        return
    packages = [one for one in image.packages if CUDA_PACKAGE.match(one.name)]
    if packages or wheels:
        word = packages[0].word if packages else image.python[wheels[0]][1]
        yield Spot("SRC838", word.start, word.end, word.text)
    elif image.base.cuda:
        yield case.base_spot("SRC838", f"nothing here but MediaPipe would use the CUDA of {image.name}")


def vendor_file(case: Case) -> Iterator[Spot]:
    """SRC829: graphics is asked for, MediaPipe brings its own libEGL, and nobody brings the vendor file."""
    given = case.image.env.get("NVIDIA_DRIVER_CAPABILITIES")
    if not (case.installed and case.gpu and given and grants_graphics(given[0])):
        return
    bundled = case.facts is not None and case.facts.gl == "bundled"
    if bundled and "10_nvidia" not in case.text.text and len(missing(case, ("egl", "gles", "gl"))) == 3:
        yield Spot("SRC829", given[1], given[2], "there is no libglvnd in it, and no 10_nvidia.json")


def steered(case: Case) -> Iterator[Spot]:
    """SRC839, SRC821."""
    for name, (value, start, end) in case.image.env.items():
        if steers(name, value):
            soft = name == "DISPLAY" or (name not in SOFTWARE and not case.gpu) or not case.gpu
            yield Spot("SRC839", start, end, f"{name}={value}", Level.NOTE if soft else None)
        elif INVENTED.fullmatch(name):
            yield Spot("SRC821", start, end, f"no MediaPipe reads {name}")


CHECKS: tuple[Callable[[Case], Iterator[Spot]], ...] = (
    vendor_file, capabilities, gl_libraries, opencv_libraries, wheel, fitting, musl, two_opencvs, cuda_and_driver,
    cuda_for_nothing, steered,
)  # fmt: skip
