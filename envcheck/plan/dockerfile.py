"""The Dockerfile of a cell: from what changes least to what changes most, so that cells share their layers.

system libraries      the same for all cells of a base
Python                the same for all cells of a base and a Python version
other packages        the same for cells whose locks differ in MediaPipe only
MediaPipe             this cell's

Python packages are installed on the host, by uv, from its cache, for the image's platform, and copied in: so the index,
its passwords and its certificates stay outside, and a closed network needs nothing inside. Each part says, by the code
of a finding where there is one, which failure it prevents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OTHERS, MEDIAPIPE, MANAGED = "packages", "mediapipe", "python"
"""Folders of the build context."""
VENDOR = "10_nvidia.json"
VENDOR_TEXT = '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}\n'
HOME = "/opt/cell"
USER = "10001:10001"
CAPABILITIES = "compute,utility,graphics"
SECRET = "ca"  # noqa: S105 - the name of a mount: certificates are no secret, but have no place in an image either
NO_PYTHON = "envcheck: no Python"
NO_APT = "envcheck: no apt-get"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What one image is made of.

    Where the base has all `libraries` already, no `packages` are installed. `mounts`: the builder knows `RUN --mount`.
    """

    base: str
    python: str
    packages: tuple[str, ...]
    libraries: tuple[str, ...]
    managed: bool = False
    mounts: bool = False
    apt_mirror: str | None = None
    certificates: bool = False
    labels: tuple[tuple[str, str], ...] = ()


def text(recipe: Recipe) -> str:
    """The whole file."""
    return "".join(f"{line}\n" for line in _lines(recipe))


def _lines(recipe: Recipe) -> Iterator[str]:
    yield "# The CUDA beside MediaPipe comes with the base: one that the driver does not serve fails (CUD701)."
    yield f"FROM {recipe.base}"
    yield "# Some bases run as another user, who may not install anything; the cell runs as nobody special (below)."
    yield "USER 0:0"
    yield "# libEGL.so.1 and libGLESv2.so.2: without them MediaPipe 0.10.33 and newer fails at the first task (EGL215)."
    if "libgl1" in recipe.packages:
        yield "# libGL.so.1 and glib: without them `import cv2` fails, and with it MediaPipe's tasks (MPP411)."
    if "libgl1-mesa-dri" in recipe.packages:
        yield "# Mesa's software GL was asked for: the delegate then runs on the CPU, emulated (EGL207)."
    yield from _run(recipe, _libraries(recipe))
    yield "# NVIDIA's vendor file: toolkits before 1.12, and --gpus without their runtime, mount none (EGL211, CTR308)."
    yield f"COPY {VENDOR} /usr/share/glvnd/egl_vendor.d/{VENDOR}"
    yield from _python(recipe)
    yield "# NVIDIA's toolkit mounts no GL without `graphics` here (CTR301), and no GPU without the devices (CTR303)."
    yield f"ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES={CAPABILITIES}"
    yield "# A user without a home cannot write into it: libraries that keep a cache there would warn or fail."
    yield f'ENV PATH="{HOME}/bin:$PATH" HOME=/tmp'
    site = f"{HOME}/lib/python{recipe.python}/site-packages/"
    yield "# Locked and hashed: the same wheels wherever it is built (MPP412). MediaPipe last: it changes most."
    for folder in (OTHERS, MEDIAPIPE):
        yield f"COPY --chown={USER} {folder}/ {site}"
    yield "# Not root: GPUs that only root may open would go unnoticed until production (GPU107)."
    yield f"USER {USER}"
    yield "# An entry point of the base would print before Python does, or want what is not there."
    yield "ENTRYPOINT []"
    yield f'CMD ["{HOME}/bin/python"]'
    yield "# Which cell and lock this is: an image without them cannot be told from any other."
    yield " ".join(["LABEL", *(f'{name}="{value}"' for name, value in recipe.labels)])


def _run(recipe: Recipe, commands: Iterator[str]) -> Iterator[str]:
    """One RUN of shell commands, which stops at the first that fails."""
    mounts = []
    if recipe.mounts:
        mounts += ["--mount=type=cache,target=/var/cache/apt,sharing=locked"]
        mounts += ["--mount=type=cache,target=/var/lib/apt/lists,sharing=locked"]
    if recipe.certificates:
        # readable for the user _apt, who fetches
        mounts += [f"--mount=type=secret,id={SECRET},target=/run/secrets/{SECRET},mode=0444"]
    yield " ".join(["RUN", *mounts, "set -eu; \\"])
    listed = list(commands)
    for command in listed[:-1]:
        yield f"    {command} \\"
    yield f"    {listed[-1]}"


def _libraries(recipe: Recipe) -> Iterator[str]:
    yield "missing=;"
    names = " ".join(recipe.libraries)
    yield f"for name in {names}; do"
    yield '    find / -xdev -name "$name" 2>/dev/null | grep -q . || missing="$missing $name";'
    yield "done;"
    yield 'if [ -n "$missing" ]; then'
    yield from (f"    {line}" for line in _apt(recipe, " ".join(recipe.packages), "$missing"))
    yield "fi"


def _apt(recipe: Recipe, packages: str, wanted: str) -> Iterator[str]:
    """Install by apt, with the mirror and the certificates that were asked for, leaving nothing of either."""
    yield f"command -v apt-get >/dev/null || {{ echo '{NO_APT} in this base, and it lacks:'\"{wanted}\"; exit 1; }};"
    options = "-qq"
    if recipe.apt_mirror:
        options += " -o Dir::Etc=/tmp/apt"
        hosts = r"https?://(deb\.debian\.org|[a-z.]*archive\.ubuntu\.com|ports\.ubuntu\.com)"
        yield "cp -R /etc/apt /tmp/apt;"
        yield r"find /tmp/apt -type f \( -name '*.list' -o -name '*.sources' \)"
        yield f"    -exec sed -E -i 's#{hosts}#{recipe.apt_mirror}#' '{{}}' +;"
    if recipe.certificates:
        options += f" -o Acquire::https::CAInfo=/run/secrets/{SECRET}"
    yield f"apt-get {options} update;"
    yield f"DEBIAN_FRONTEND=noninteractive apt-get {options} install -y --no-install-recommends {packages};"
    yield "rm -rf /tmp/apt;" if recipe.mounts else "rm -rf /tmp/apt /var/lib/apt/lists/* /var/cache/apt/archives/*.deb;"


def _python(recipe: Recipe) -> Iterator[str]:
    """An environment around the Python of the cell's version: the base's own, apt's, or the one copied in."""
    version = recipe.python
    yield f"# Python {version}: MediaPipe's wheels are for one version each (MPP404)."
    if recipe.managed:
        yield f"COPY {MANAGED}/ /opt/{MANAGED}/"
        yield f"RUN $(ls -d /opt/{MANAGED}/cpython-*/bin/python3 | head -n 1) -I -m venv --without-pip {HOME}"
        return
    yield from _run(recipe, _find_python(recipe))


def _find_python(recipe: Recipe) -> Iterator[str]:
    version = recipe.python
    test = "import sys, venv; sys.exit(sys.version_info[:2] != " + f"({version.replace('.', ', ')}))"
    yield f'fits() {{ command -v "$1" >/dev/null && "$1" -I -c "{test}" 2>/dev/null; }};'
    names = f"python{version} python3 python"
    yield f"found() {{ for name in {names}; do fits $name && command -v $name && return; done; }};"
    yield "python=$(found || true);"
    yield 'if [ -z "$python" ] && command -v apt-get >/dev/null; then'
    yield from (f"    {line}" for line in _apt(recipe, "python3 python3-venv", f" Python {version}"))
    yield "    python=$(found || true);"
    yield "fi;"
    yield f"[ -n \"$python\" ] || {{ echo '{NO_PYTHON} {version} in this base or in its packages'; exit 1; }};"
    yield f'"$python" -I -m venv --without-pip {HOME}'
