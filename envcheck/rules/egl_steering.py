"""EGL2xx: variables, permissions and other libraries that keep EGL from NVIDIA's driver, though it is there."""

from __future__ import annotations

import re

from envcheck.compat.versions import components
from envcheck.model import GlContext, Status
from envcheck.rules.ctr import VENDOR_FOLDERS
from envcheck.rules.rule import Case, Rule
from envcheck.rules.world import (
    container_of,
    default_missed,
    devices_of,
    driver_missed,
    egl_in_place,
    mediapipe_version,
    names_nvidia,
    packages_of,
    reached_by_device,
    steering_missed,
    variables_of,
    vendors_of,
)

MESA_VARIABLES = "https://docs.mesa3d.org/envvars.html"
ENUMERATION = "https://github.com/NVIDIA/libglvnd/blob/master/src/EGL/icd_enumeration.md"
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
OFF = frozenset({"", "0", "false", "no", "n", "off"})
"""What Mesa takes for no."""
SOFTWARE_DRIVERS = frozenset({"llvmpipe", "softpipe", "swrast", "kms_swrast", "lavapipe", "swr"})
FORCING = ("GALLIUM_DRIVER", "MESA_LOADER_DRIVER_OVERRIDE")
OLD_RUNTIME = re.compile(r"(?P<library>\S*libstdc\+\+\.so\S*?):? version [`'\"]?(?P<symbol>GLIBCXX_[0-9.]+)")
CLOSED_NODE = re.compile(r"failed to open (?P<node>/dev/dri/\S+?):? Permission denied", re.IGNORECASE)
FALLS_BACK = (1, 0, 1)
"""The MediaPipe that tries EGL's devices where the default display fails."""

NO_ROAD = ("GPU105", "GPU106", "GPU107", "CTR301", "CTR302", "CTR303", "CTR307", "CTR308", "EGL208", "EGL209", "EGL210")
NO_DRIVER_FOUND = (*NO_ROAD, "GPU114", "EGL211", "EGL212", "EGL219")
"""Rules whose failure is reason enough; what steers EGL on a road that is not there says nothing."""


def hidden(case: Case) -> str | None:
    """Variables that replace glvnd's folders, and lead to no vendor file of NVIDIA's."""
    vendors, variables = vendors_of(case), variables_of(case)
    set_ones = [f"{name}={variables[name] or '(empty)'}" for name in VENDOR_FOLDERS if name in variables]
    if not set_ones or vendors is None or any(map(names_nvidia, vendors)):
        return None
    return f"{', '.join(set_ones)}, which leads to {', '.join(one.path for one in vendors) or 'no vendor file'}"


def displays_named(case: Case) -> dict[str, str]:
    """The variables that name a display server."""
    return {name: value for name in DISPLAYS if (value := variables_of(case).get(name))}


def steered(case: Case) -> str | None:
    """NVIDIA's EGL is in place, and a display server is named that gives another default display."""
    named, gl = displays_named(case), case.evidence.gl
    if not named or not isinstance(gl, GlContext) or not egl_in_place(case):
        return None
    got = gl.renderer if gl.path == "default" else gl.error or "no context"
    return f"{', '.join(f'{name}={value}' for name, value in named.items())}; EGL gives {got}"


def platform_named(case: Case) -> str | None:
    """EGL_PLATFORM names a platform other than devices."""
    platform = variables_of(case).get("EGL_PLATFORM", "")
    return f"EGL_PLATFORM={platform}" if platform not in ("", "device") else None


def forced_software(case: Case) -> str | None:
    """Variables that make Mesa draw on the CPU."""
    variables = variables_of(case)
    forcing = [name for name in FORCING if variables.get(name, "").lower() in SOFTWARE_DRIVERS]
    if variables.get("LIBGL_ALWAYS_SOFTWARE", "").lower() not in OFF:
        forcing.insert(0, "LIBGL_ALWAYS_SOFTWARE")
    return ", ".join(f"{name}={variables[name]}" for name in forcing) or None


def unset_forcing(case: Case) -> str:
    """Unset the variables that were seen."""
    names = [part.partition("=")[0] for part in (forced_software(case) or "").split(", ")]
    return f"unset {' '.join(names)}    # and look where they are set: env | grep -e LIBGL -e GALLIUM -e MESA"


def log_of(case: Case) -> tuple[str, ...]:
    """What EGL printed for our own request, and for MediaPipe's."""
    gl = case.evidence.gl
    return (*(gl.log if isinstance(gl, GlContext) else ()), *case.evidence.gpu.log)


def old_runtime(case: Case) -> str | None:
    """EGL's log complains of a C++ runtime that is too old for the GL driver."""
    found = next((match for line in log_of(case) if (match := OLD_RUNTIME.search(line))), None)
    if found is None:
        return None
    packages = packages_of(case)
    newest = f", which has {packages.libstdcxx} at most" if packages and packages.libstdcxx else ""
    return f"{found['library']}{newest}, and the GL driver needs {found['symbol']}"


def newer_runtime(case: Case) -> str:
    """In conda a newer runtime; else none in front of the system's."""
    packages = packages_of(case)
    if packages and packages.conda:
        return f"conda install -p {packages.conda} -c conda-forge 'libstdcxx>=13'    # or use a virtual environment of the system's Python"
    return "echo $LD_LIBRARY_PATH $LD_PRELOAD    # which brings the old libstdc++? Take it out: unset LD_LIBRARY_PATH LD_PRELOAD"


def closed_nodes(case: Case) -> str | None:
    """Render nodes that this user may not open."""
    nodes = [one for one in devices_of(case) or () if one.path.startswith("/dev/dri/renderD") and not one.usable]
    return ", ".join(f"{one.path} ({one.mode} {one.owner}:{one.group})" for one in nodes) or None


def nodes_status(case: Case) -> Status:
    """FAIL where EGL's log says so, or nothing else is left to say. NVIDIA's own EGL can do without the node."""
    said = any(CLOSED_NODE.search(line) for line in log_of(case))
    return Status.FAIL if said or (egl_in_place(case) and driver_missed(case)) else Status.UNKNOWN


def open_nodes(case: Case) -> str:
    """Join the group of the node."""
    group = next((one.group for one in devices_of(case) or () if "renderD" in one.path and not one.usable), "render")
    if container_of(case):
        return f"docker run --device /dev/dri --group-add $(getent group {group} | cut -d: -f3) …"
    return f"sudo usermod -aG {group} $USER    # then log in again"


def by_device_only(case: Case) -> str | None:
    """EGL's devices reach NVIDIA, and the default display does not."""
    gl = case.evidence.gl
    if not isinstance(gl, GlContext) or not reached_by_device(case):
        return None
    if gl.path == "default":
        return f"the default display is {gl.renderer}"
    return f"the default display gives {gl.error or 'no context'}"


def device_status(case: Case) -> Status:
    """From 1.0.1 on MediaPipe falls back to EGL's devices where the default display fails; then nothing is lost."""
    version = components(mediapipe_version(case) or "")
    gl = case.evidence.gl
    failed = isinstance(gl, GlContext) and gl.path != "default"
    refused = case.evidence.gpu.outcome == "refused"
    return Status.UNKNOWN if failed and version and version >= FALLS_BACK and not refused else Status.FAIL


RULES = (
    Rule(
        code="EGL213",
        title="variables hide NVIDIA's EGL driver",
        see=hidden,
        scope=steering_missed,
        after=("GPU114",),
        because="These variables replace the folders in which libEGL looks for drivers; what they lead to is all there is.",
        remedy="unset __EGL_VENDOR_LIBRARY_FILENAMES __EGL_VENDOR_LIBRARY_DIRS",
        url=ENUMERATION,
    ),
    Rule(
        code="EGL218",
        title="an old C++ runtime keeps the GL driver from loading",
        see=old_runtime,
        scope=lambda case: default_missed(case) and bool(log_of(case)),
        because="An environment that brings its own libstdc++ (conda's do) has it loaded first; a GL driver that was built "
        "against a newer one then fails to load, and EGL says only that it cannot initialise.",
        remedy="conda install -c conda-forge 'libstdcxx>=13'    # or use a virtual environment of the system's Python",
        url="https://github.com/google-ai-edge/mediapipe/issues/5461",
        fix=newer_runtime,
    ),
    Rule(
        code="EGL217",
        title="variables force software GL",
        see=forced_software,
        scope=steering_missed,
        because="With them Mesa draws on the CPU, whatever GPU there is. MediaPipe 1.0.1 and later refuse that, earlier ones "
        "crawl. NVIDIA's own driver does not read them, but then it is not the one that EGL took.",
        remedy="unset LIBGL_ALWAYS_SOFTWARE GALLIUM_DRIVER MESA_LOADER_DRIVER_OVERRIDE",
        url=MESA_VARIABLES,
        fix=unset_forcing,
    ),
    Rule(
        code="EGL220",
        title="EGL_PLATFORM keeps NVIDIA's device platform away",
        see=platform_named,
        scope=lambda case: steering_missed(case) and platform_named(case) is not None,
        after=NO_DRIVER_FOUND,
        because="It fixes what the default display is. x11 and wayland want what a machine without a screen does not have; "
        "surfaceless and gbm lead to Mesa unless NVIDIA's driver is new enough to know them; unset, it takes the GPU itself.",
        remedy="unset EGL_PLATFORM",
        url="https://github.com/google-ai-edge/mediapipe/issues/6323",
    ),
    Rule(
        code="EGL214",
        title="DISPLAY or WAYLAND_DISPLAY leads EGL to a display server",
        see=steered,
        scope=lambda case: steering_missed(case) and bool(displays_named(case)),
        after=(*NO_DRIVER_FOUND, "EGL213", "EGL220"),
        because="With a display named, EGL's default is that server's: through ssh, VNC or Xvfb it is Mesa's, or has no "
        "off-screen configuration. MediaPipe needs no display at all.",
        remedy="env -u DISPLAY -u WAYLAND_DISPLAY python app.py    # or: unset DISPLAY WAYLAND_DISPLAY",
        url="https://github.com/google-ai-edge/mediapipe/issues/2987",
    ),
    Rule(
        code="EGL221",
        title="EGL's devices reach NVIDIA, its default display does not",
        see=by_device_only,
        scope=lambda case: default_missed(case) and reached_by_device(case),
        after=("EGL213", "EGL214", "EGL217", "EGL218", "EGL220"),
        because="MediaPipe asks for the default display. Up to 0.10.35 it asks for nothing else; from 1.0.1 on it tries the "
        "devices, but only where the default display fails.",
        remedy="export __EGL_VENDOR_LIBRARY_FILENAMES=/usr/share/glvnd/egl_vendor.d/10_nvidia.json\n"
        "unset DISPLAY WAYLAND_DISPLAY EGL_PLATFORM",
        url="https://github.com/google-ai-edge/mediapipe/issues/6337",
        weigh=device_status,
    ),
    Rule(
        code="EGL216",
        title="this user may not open the render node",
        see=closed_nodes,
        scope=lambda case: steering_missed(case) and closed_nodes(case) is not None,
        after=("GPU105", "GPU107", "CTR302", "CTR303"),
        because="Mesa needs /dev/dri/renderD128, and NVIDIA's driver for some of its platforms; without permission EGL goes on "
        "to software or to nothing.",
        remedy="sudo usermod -aG render $USER    # the group that `ls -l /dev/dri` shows; then log in again",
        url="https://github.com/google-deepmind/dm_control/issues/214",
        weigh=nodes_status,
        fix=open_nodes,
    ),
)
