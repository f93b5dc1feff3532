"""Payload: NVIDIA's management library through nvidia-ml-py, in envcheck's own interpreter, over standard input.

    {"do": "facts"}  -> {"driver", "cuda", "gpus": [...]} or {"unread": reason}
    {"do": "sample"} -> {"gpus": [...]} or {"unread": reason}
    {"do": "work", "since": microseconds} -> {"gpus": [...]}: the processes that worked since then; 0 for "in the buffer"

Each value that NVML does not give is {"unread": reason}: never zero, never empty.
"""

import json
import os
import sys


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


def facts(nvml):
    cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
    gpus = []
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        gpus.append(
            {
                "index": index,
                "name": text(nvml.nvmlDeviceGetName(device)),
                "uuid": text(nvml.nvmlDeviceGetUUID(device)),
                "compute_capability": attempt(lambda d=device: capability(nvml, d)),
                "mig": attempt(lambda d=device: mig(nvml, d)),
                "memory_total": attempt(lambda d=device: int(nvml.nvmlDeviceGetMemoryInfo(d).total)),
            }
        )
    return {
        "driver": text(nvml.nvmlSystemGetDriverVersion()),
        "cuda": "%d.%d" % (cuda // 1000, cuda % 1000 // 10),
        "gpus": gpus,
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
    nvml = attempt(connect)
    for line in sys.stdin.buffer:
        if isinstance(nvml, dict):
            answer = nvml
        else:
            answer = attempt(lambda r=json.loads(line): answer_to(nvml, r))
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


serve()
os._exit(0)
