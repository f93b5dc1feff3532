"""What this host's driver and GPUs allow, before anything runs."""

from __future__ import annotations

from envcheck.compat import codes
from envcheck.compat.tables import Tables, load_tables
from envcheck.compat.versions import components, starts_with
from envcheck.model import ANY_DRIVER, Foresight, Gpu, Host, Nvml


def driver_match(wanted: str | None, host: Host) -> Foresight | None:
    """None where this host has the driver a cell asks for, else `unreachable` with the reason.

    "any", and an axis left out, match every host, even one without a driver. A branch or version is matched to the
    host's driver component by component, as a prefix: "570" and "570.124" match 570.124.06, "570.12" does not.
    """
    if wanted is None or wanted == ANY_DRIVER:
        return None
    if not isinstance(host.nvml, Nvml):
        because = f"needs driver {wanted}, and no NVIDIA driver answers on this host: {host.nvml.reason}"
        return Foresight(state="unreachable", because=because, code=codes.DRIVER_NOT_HERE)
    asked, here = components(wanted), components(host.nvml.driver)
    if asked is not None and here is not None and starts_with(here, asked):
        return None
    because = f"needs driver {wanted}, and this host has {host.nvml.driver}"
    return Foresight(state="unreachable", because=because, code=codes.DRIVER_NOT_HERE)


def gpu_prediction(host: Host, tables: Tables | None = None) -> Foresight | None:
    """`impossible` where every GPU of this host is in MIG mode and none is of a kind whose slices serve graphics.

    None where a GPU is not in MIG mode, where that could not be read, and where there is no GPU to speak of.
    """
    known = tables or load_tables()
    mig = known.cuda.mig
    gpus = host.nvml.gpus if isinstance(host.nvml, Nvml) else ()
    if mig.graphics is not False or not gpus or not all(_sliced(gpu, mig.exceptions) for gpu in gpus):
        return None
    names = ", ".join(dict.fromkeys(gpu.name for gpu in gpus))
    because = f"every GPU here ({names}) is in MIG mode, whose slices serve CUDA but no OpenGL ES"
    source = known.cite(mig.source)
    return Foresight(state="impossible", because=because, code=codes.MIG_HAS_NO_GRAPHICS, source=source)


def _sliced(gpu: Gpu, exceptions: tuple[str, ...]) -> bool:
    return gpu.mig is True and not any(part in gpu.name for part in exceptions)
