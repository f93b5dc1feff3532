"""The texts of what `envcheck watch` alone can find. What it saw is no evidence of a cell, so nothing here is applied.

`envcheck.watch.findings` says when each is given, beside rules of the other families whose cause is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from envcheck.model import Status


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A cause that a watched program can show: what a rule has, without the test."""

    code: str
    title: str
    because: str
    remedy: str
    url: str
    status: Status = Status.FAIL


ADVICE: tuple[Advice, ...] = (
    Advice(
        code="RES610",
        title="the command only hands its work over to processes elsewhere",
        because="docker, podman, kubectl, ssh and systemd-run are clients: the program they start is no child of theirs, so watching them sees nothing of it.",
        remedy="# On the machine that runs the container, with the program's own process number:\n"
        "docker inspect --format '{{.State.Pid}}' CONTAINER\nsudo envcheck watch --pid PID\n"
        "# Or watch inside: docker run … IMAGE envcheck watch --native-log -- COMMAND",
        url="https://docs.docker.com/get-started/docker-overview/",
        status=Status.UNKNOWN,
    ),
    Advice(
        code="RES608",
        title="a process of the program may not be looked into",
        because="Libraries and open files of another user's process, or of one that gained privileges, are hidden. Not seen is not the same as not there.",
        remedy="sudo envcheck watch --pid PID\n"
        "# In a container root is not enough: docker run --cap-add SYS_PTRACE … or the same on the host",
        url="https://man7.org/linux/man-pages/man2/ptrace.2.html",
        status=Status.UNKNOWN,
    ),
    Advice(
        code="RES609",
        title="too little of the program was seen",
        because="Watching takes a sample every tenth of a second at first and every second later; what comes and goes in between leaves no trace.",
        remedy="Watch a longer run: a video of some minutes in place of one picture.",
        url="https://man7.org/linux/man-pages/man5/proc.5.html",
        status=Status.UNKNOWN,
    ),
    Advice(
        code="GPU122",
        title="CUDA works on the GPU, and MediaPipe does not use CUDA",
        because="MediaPipe's GPU delegate is OpenGL ES through EGL. A framework beside it (PyTorch, TensorFlow, CuPy) can keep the GPU busy while FaceMesh stays on the CPU.",
        remedy="envcheck doctor    # is the graphics half of the driver here?\n"
        "# In the code: FaceLandmarker of mediapipe.tasks with delegate=BaseOptions.Delegate.GPU",
        url="https://ai.google.dev/edge/mediapipe/framework/getting_started/gpu_support",
    ),
    Advice(
        code="GPU123",
        title="the GPU delegate was asked for, and the CPU did the work, or part of it",
        because="MediaPipe names a model's calculator when the graph is set up, before EGL is reached. Where the delegate is then refused and the program goes on with delegate=CPU, or where it has a landmarker of each, the log names both.",
        remedy='envcheck check --python "$(command -v python)"    # is the delegate refused there, why, and what to do\n'
        "# In the code: print what create_from_options raises; do not go on with the CPU without a word.",
        url="https://github.com/google-ai-edge/mediapipe/blob/v0.10.35/mediapipe/calculators/tensor/inference_calculator.cc",
    ),
    Advice(
        code="GPU120",
        title="the program never went near a GPU",
        because="Not one of its processes loaded a GL driver or opened a GPU device file: the GPU was not asked for, or this build of MediaPipe has no GPU code.",
        remedy="envcheck lint FILE.py       # lines that keep FaceMesh on the CPU: mp.solutions, no delegate\n"
        "envcheck doctor             # what this host has\n"
        "# In the code: BaseOptions(model_asset_path=…, delegate=BaseOptions.Delegate.GPU)",
        url="https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker/python",
    ),
    Advice(
        code="GPU121",
        title="a GL driver is loaded, which alone proves nothing",
        because="MediaPipe 0.10.8 to 0.10.35 opens a GL context on the CPU delegate as well, and mp.solutions does so too. Only work on the GPU counts.",
        remedy="envcheck watch --native-log -- COMMAND    # 0.10.8 to 0.10.35 then say which calculators run\n"
        "envcheck validate                         # proof with a CPU run beside it",
        url="https://github.com/google-ai-edge/mediapipe/blob/v0.10.35/mediapipe/calculators/tensor/inference_calculator.cc",
        status=Status.UNKNOWN,
    ),
    Advice(
        code="MPP416",
        title="the native log names no calculator",
        because="Only MediaPipe 0.10.8 to 0.10.35 honours GLOG_vmodule, and only while nothing silences the log or sends it elsewhere.",
        remedy="unset GLOG_minloglevel GLOG_log_dir GLOG_stderrthreshold TF_CPP_MIN_LOG_LEVEL\n"
        "# The program may also set them itself: look for os.environ['GLOG_minloglevel'] in its source.",
        url="https://github.com/google/glog#verbose-logging",
        status=Status.UNKNOWN,
    ),
    Advice(
        code="RES611",
        title="processes of the program still run",
        because="The command has ended, and left others behind (a daemon, a worker); what they do from now on is not part of this report.",
        remedy="envcheck watch --pid PID",
        url="https://man7.org/linux/man-pages/man3/daemon.3.html",
        status=Status.UNKNOWN,
    ),
)
"""In the order in which causes are told: what hides everything else comes first."""

BY_CODE = {advice.code: advice for advice in ADVICE}
