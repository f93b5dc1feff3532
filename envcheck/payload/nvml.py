"""Payload: NVIDIA's management library through nvidia-ml-py, in envcheck's own interpreter, over standard input.

    {"do": "facts"}  -> {"driver", "cuda", "gpus": [...]} or {"unread": reason}
    {"do": "sample"} -> {"gpus": [...]} or {"unread": reason}
    {"do": "work", "since": microseconds} -> {"gpus": [...]}: processes that worked since then; 0: in the buffer

Each value that NVML does not give is {"unread": reason}: never zero, never empty.
"""

import ctypes
import json
import os
import re
import sys

COMPUTE_MODES = {0: "default", 1: "exclusive-thread", 2: "prohibited", 3: "exclusive-process"}
HARMLESS = 0x1 | 0x2  # the GPU is idle; clocks as an application or the administrator set them
THROTTLE = {
    0x4: "sw_power_cap", 0x8: "hw_slowdown", 0x10: "sync_boost", 0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown", 0x80: "hw_power_brake_slowdown", 0x100: "display_clock_setting",
    0x200: "board_limit", 0x400: "reliability",
}  # fmt: skip
LIBRARY = "libnvidia-ml.so.1"
NO_LIBRARY = "NVMLError_LibraryNotFound: NVML Shared Library Not Found"  # as nvidia-ml-py says it
FIRST_MENDED = 104  # of 535: from 535.43.02 on it was broken, https://github.com/XuehaiPan/nvitop/pull/89
PID_LIMIT = 1 << 22  # PID_MAX_LIMIT in include/linux/threads.h
UNCORRECTED, SINCE_LOADED = 1, 0  # NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC


def reason(error):
    return {"unread": "%s: %s" % (type(error).__name__, error)}


def attempt(call):
    try:
        return call()
    except Exception as error:
        return reason(error)


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def capability(nvml, device):
    return "%d.%d" % tuple(nvml.nvmlDeviceGetCudaComputeCapability(device))


def mig(nvml, device):
    """True where MIG mode is on; GPUs that cannot do MIG answer NOT_SUPPORTED, which is a clear no."""
    try:
        return nvml.nvmlDeviceGetMigMode(device)[0] == 1
    except nvml.NVMLError_NotSupported:
        return False


def pci(nvml, device):
    """The address as the kernel writes it: 0000:17:00.0, where NVML has eight digits of domain."""
    domain, _, rest = text(nvml.nvmlDeviceGetPciInfo(device).busId).lower().partition(":")
    return domain[-4:] + ":" + rest


def compute_mode(nvml, device):
    mode = nvml.nvmlDeviceGetComputeMode(device)
    return COMPUTE_MODES.get(mode, "mode %d" % mode)


def throttle(nvml, device):
    """Why clocks are held down, by the names of NVML's bits; being idle and chosen clocks are no reasons."""
    bits = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device) & ~HARMLESS
    return [THROTTLE.get(1 << bit, "reason 0x%x" % (1 << bit)) for bit in range(64) if bits >> bit & 1]


def wide_lists(nvml):
    """True for drivers whose third form of the lists has longer entries than its own header says."""
    try:
        version = re.match(r"535\.(\d+)", text(nvml.nvmlSystemGetDriverVersion()))
    except nvml.NVMLError:  # then the lists themselves have to tell
        return False
    return version is not None and int(version.group(1)) < FIRST_MENDED


def running(nvml, device, kind):
    """The processes of one list, Compute or Graphics, by its second form where the third is not there or is broken."""
    name = "nvmlDeviceGet%sRunningProcesses" % kind
    if not wide_lists(nvml):
        try:
            return processes(getattr(nvml, name)(device))
        except nvml.NVMLLibraryMismatchError:
            pass
    return processes(getattr(nvml, name + "_v2")(device))


def everyone(nvml, device):
    """Processes that compute and processes that draw, each once."""
    found = running(nvml, device, "Compute") + running(nvml, device, "Graphics")
    return [found[at] for at in sorted({one["pid"]: at for at, one in reversed(list(enumerate(found)))}.values())]


ABOUT_A_GPU = {
    "name": lambda nvml, device: text(nvml.nvmlDeviceGetName(device)),
    "uuid": lambda nvml, device: text(nvml.nvmlDeviceGetUUID(device)),
    "compute_capability": capability,
    "mig": mig,
    "memory_total": lambda nvml, device: int(nvml.nvmlDeviceGetMemoryInfo(device).total),
    "pci": pci,
    "compute_mode": compute_mode,
    "display_attached": lambda nvml, device: nvml.nvmlDeviceGetDisplayMode(device) == 1,
    "display_active": lambda nvml, device: nvml.nvmlDeviceGetDisplayActive(device) == 1,
    "persistence": lambda nvml, device: nvml.nvmlDeviceGetPersistenceMode(device) == 1,
    "sm_mhz": lambda nvml, device: int(nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM)),
    "sm_max_mhz": lambda nvml, device: int(nvml.nvmlDeviceGetMaxClockInfo(device, nvml.NVML_CLOCK_SM)),
    "throttle": throttle,
    "ecc_errors": lambda nvml, device: int(nvml.nvmlDeviceGetTotalEccErrors(device, UNCORRECTED, SINCE_LOADED)),
    "temperature": lambda nvml, device: int(nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU)),
    "processes": everyone,
}


def gpu(nvml, index):
    """Everything about one GPU. One that is lost is a GPU too: each of its values says that it is."""
    ask = asker(nvml, index)
    found = {name: ask(look) for name, look in ABOUT_A_GPU.items()}
    for name in ("name", "uuid"):
        found[name] = "" if isinstance(found[name], dict) else found[name]
    if isinstance(found["memory_total"], dict):
        found["memory_total"] = None
    return dict(found, index=index)


def cuda_version(nvml):
    """The one that libcuda serves; where there is none, as in a container with graphics alone, the driver's."""
    try:
        return nvml.nvmlSystemGetCudaDriverVersion_v2()
    except nvml.NVMLError:
        return nvml.nvmlSystemGetCudaDriverVersion()


def facts(nvml):
    cuda = cuda_version(nvml)
    return {
        "driver": text(nvml.nvmlSystemGetDriverVersion()),
        "cuda": "%d.%d" % (cuda // 1000, cuda % 1000 // 10),
        "gpus": [gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())],
    }


def processes(call):
    """Each process with its memory; entries that cannot be are those of a library whose entries have another length."""
    if any(not 0 < p.pid <= PID_LIMIT for p in call):
        raise ValueError("NVML's list holds process numbers that cannot be: its entries have another length than known")
    return [{"pid": int(p.pid), "memory": None if p.usedGpuMemory is None else int(p.usedGpuMemory)} for p in call]


SAMPLED = {
    "utilisation": lambda nvml, device: int(nvml.nvmlDeviceGetUtilizationRates(device).gpu),
    "memory_used": lambda nvml, device: int(nvml.nvmlDeviceGetMemoryInfo(device).used),
    "energy_mj": lambda nvml, device: int(nvml.nvmlDeviceGetTotalEnergyConsumption(device)),
    "compute": lambda nvml, device: running(nvml, device, "Compute"),
    "graphics": lambda nvml, device: running(nvml, device, "Graphics"),
    "throttle": throttle,
    "sm_mhz": lambda nvml, device: int(nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM)),
}


def asker(nvml, index):
    """Asks one GPU by its number; one that is lost gives no handle, and hides no other."""
    return lambda look: attempt(lambda: look(nvml, nvml.nvmlDeviceGetHandleByIndex(index)))


def sample(nvml):
    gpus = []
    for index in range(nvml.nvmlDeviceGetCount()):
        ask = asker(nvml, index)
        gpus.append(dict({name: ask(look) for name, look in SAMPLED.items()}, index=index))
    return {"gpus": gpus}


def work(nvml, since):
    def look(nvml, device):
        return workers(nvml, device, since)

    count = nvml.nvmlDeviceGetCount()
    return {"gpus": [{"index": index, "processes": asker(nvml, index)(look)} for index in range(count)]}


def workers(nvml, device, since):
    """Each sample of each process; NVML answers NOT_FOUND where no process did anything, which is a clear none."""
    try:
        found = nvml.nvmlDeviceGetProcessUtilization(device, since)
    except nvml.NVMLError_NotFound:
        return []
    return [
        {"pid": int(one.pid), "sm": int(one.smUtil), "memory": int(one.memUtil), "at": int(one.timeStamp)}
        for one in found
        if one.timeStamp > since
    ]


def library_missing():
    """What nvidia-ml-py says of a library that does not load, without the tenth of a second that importing it takes.

    With the loader's word, where that is more than that there is none.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        absent = str(error).startswith(LIBRARY + ": cannot open shared object file: No such file")
        return NO_LIBRARY + ("" if absent else " (%s)" % error)
    return ""


def connect():
    import pynvml

    pynvml.nvmlInit()
    return pynvml


def answer_to(nvml, request):
    if request["do"] == "work":
        return work(nvml, request["since"])
    return facts(nvml) if request["do"] == "facts" else sample(nvml)


def serve():
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    missing = library_missing() if sys.platform.startswith("linux") else ""
    nvml = {"unread": missing} if missing else attempt(connect)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = nvml if isinstance(nvml, dict) else attempt(lambda r=request: answer_to(nvml, r))
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


serve()
os._exit(0)
