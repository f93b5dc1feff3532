"""Payload: NVIDIA's management library through nvidia-ml-py, in envcheck's own interpreter, over standard input.

    {"do": "facts"}  -> {"driver", "cuda", "gpus": [...]} or {"unread": reason}
    {"do": "sample"} -> {"gpus": [...]} or {"unread": reason}
    {"do": "work", "since": microseconds} -> {"gpus": [...]}: processes that worked since then; 0: in the buffer

Each value that NVML does not give is {"unread": reason}: never zero, never empty.
"""

import ctypes
import json
import os
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


def everyone(nvml, device):
    """Processes that compute and processes that draw, each once."""
    found = processes(nvml.nvmlDeviceGetComputeRunningProcesses(device))
    found += processes(nvml.nvmlDeviceGetGraphicsRunningProcesses(device))
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

    def ask(look):
        return look(nvml, nvml.nvmlDeviceGetHandleByIndex(index))

    found = {name: attempt(lambda k=look: ask(k)) for name, look in ABOUT_A_GPU.items()}
    for name in ("name", "uuid"):
        found[name] = "" if isinstance(found[name], dict) else found[name]
    if isinstance(found["memory_total"], dict):
        found["memory_total"] = None
    return dict(found, index=index)


def facts(nvml):
    cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
    return {
        "driver": text(nvml.nvmlSystemGetDriverVersion()),
        "cuda": "%d.%d" % (cuda // 1000, cuda % 1000 // 10),
        "gpus": [gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())],
    }


def processes(call):
    return [{"pid": int(p.pid), "memory": None if p.usedGpuMemory is None else int(p.usedGpuMemory)} for p in call]


def sample(nvml):
    gpus = []
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        gpus.append(
            {
                "index": index,
                "utilisation": attempt(lambda d=device: int(nvml.nvmlDeviceGetUtilizationRates(d).gpu)),
                "memory_used": attempt(lambda d=device: int(nvml.nvmlDeviceGetMemoryInfo(d).used)),
                "energy_mj": attempt(lambda d=device: int(nvml.nvmlDeviceGetTotalEnergyConsumption(d))),
                "compute": attempt(lambda d=device: processes(nvml.nvmlDeviceGetComputeRunningProcesses(d))),
                "graphics": attempt(lambda d=device: processes(nvml.nvmlDeviceGetGraphicsRunningProcesses(d))),
                "throttle": attempt(lambda d=device: throttle(nvml, d)),
                "sm_mhz": attempt(lambda d=device: int(nvml.nvmlDeviceGetClockInfo(d, nvml.NVML_CLOCK_SM))),
            }
        )
    return {"gpus": gpus}


def work(nvml, since):
    gpus = []
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        gpus.append({"index": index, "processes": attempt(lambda d=device: workers(nvml, d, since))})
    return {"gpus": gpus}


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
