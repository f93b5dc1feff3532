"""Payload: one FaceLandmarker on one delegate, driven over standard input.

Requests are JSON lines; `load` is followed by the model's bytes and the frames' bytes. Every answer is a JSON line
that carries the caller's token and says what it is. A stage is announced before it is entered, so that a death names
its place.

    {"do": "load", "token", "delegate", "faces", "mode", "blendshapes", "model_bytes", "shape": [n, h, w, 4]}
        says: importing, creating, first-frame, loaded
    {"do": "run", "first", "count", "points": [indices] | null, "look": bool}
        says: ran
    {"do": "cycle", "count"}: closes the FaceLandmarker, creates it anew and shows it a frame, `count` times
        says: ran, with the time of each cycle
    {"do": "stop"}
        says: stopped
    any of them may say: failed
"""

import gc
import json
import os
import re
import stat
import sys
import threading
import time

O_PATH = 0o10000000
FRAME_MS = 33  # timestamps of VIDEO mode advance as at 30 frames per second
LIBRARY = re.compile(
    r"(lib(EGL|GLES|GLX|GLdispatch|GL\.|OpenGL|gbm|drm|nvidia|cuda|gallium|OpenCL|LLVM|vulkan|d3d12|swiftshader|mediapipe)"
    r"|swrast_|kms_swrast|zink_|iris_|i965_|radeonsi_|nouveau_|d3d12_|_framework_bindings|virtio_gpu)[^/]*$"
)
DEVICE = re.compile(r"^/dev/(nvidia|nvhost-|nvgpu/|nvmap|dri/|dxg|kfd|mali|udmabuf|vgem)")


def private_stdout():
    """The channel to the caller; descriptor 1 then leads to standard error, where native code may print."""
    channel = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    return channel


class Caller:
    """Speaks with the process that started this one."""

    def __init__(self):
        self.source = sys.stdin.buffer
        self.channel = private_stdout()
        self.token = ""

    def receive(self):
        line = self.source.readline()
        return json.loads(line) if line.strip() else None

    def read(self, size):
        data = self.source.read(size)
        if len(data) != size:
            raise EOFError("the caller closed standard input")
        return data

    def send(self, **answer):
        answer["token"] = self.token
        data = memoryview(json.dumps(answer).encode("ascii") + b"\n")
        while data:
            data = data[self.channel.write(data) :]


def leave_with_parent():
    """End this process when the one that started it is gone, even while native code hangs."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(113)

    threading.Thread(target=watch, daemon=True).start()


def version_of(name):
    from importlib import metadata

    try:
        return metadata.version(name)
    except Exception:
        return None


class Worker:
    """A FaceLandmarker and the frames it is shown."""

    def __init__(self, caller):
        self.caller = caller
        self.clock_ms = 0

    def load(self, request):
        caller = self.caller
        model = caller.read(request["model_bytes"])
        count, height, width, channels = request["shape"]
        pixels = caller.read(count * height * width * channels)
        caller.send(say="importing")
        started = time.perf_counter()
        import mediapipe
        import numpy
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision

        import_s = time.perf_counter() - started
        self.mediapipe, self.video = mediapipe, request["mode"] == "video"
        self.frames = numpy.frombuffer(pixels, numpy.uint8).reshape(count, height, width, channels)
        members = {name: member.value for name, member in tasks.BaseOptions.Delegate.__members__.items()}
        caller.send(
            say="creating",
            import_s=import_s,
            python=sys.version.split()[0],
            # What an upgrade that broke off has left behind names another version than the code that is imported.
            mediapipe=getattr(mediapipe, "__version__", None) or version_of("mediapipe"),
            numpy=numpy.__version__,
            members=members,
            delegate_value=members.get(request["delegate"]),
            inner_pid=os.getpid(),
            solutions=hasattr(mediapipe, "solutions"),
        )
        started = time.perf_counter()
        self.vision, self.faces, self.legacy = vision, request["faces"], request.get("api") == "legacy"
        if self.legacy:  # it takes RGB; converting is no part of a frame
            self.frames = numpy.ascontiguousarray(self.frames[..., :3])
        self.options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(
                model_asset_buffer=model, delegate=tasks.BaseOptions.Delegate[request["delegate"]]
            ),
            running_mode=vision.RunningMode.VIDEO if self.video else vision.RunningMode.IMAGE,
            num_faces=request["faces"],
            output_face_blendshapes=request.get("blendshapes", False),
        )
        self.create()
        create_ms = (time.perf_counter() - started) * 1e3
        caller.send(say="first-frame", create_ms=create_ms)
        first_ms, _ = self.detect(0)
        gc.collect()
        gc.freeze()  # what MediaPipe's import left need not be searched before every block
        caller.send(say="loaded", first_ms=first_ms)

    def create(self):
        self.clock_ms = 0
        if self.legacy:
            self.landmarker = self.mediapipe.solutions.face_mesh.FaceMesh(
                static_image_mode=not self.video, max_num_faces=self.faces
            )
            return
        self.landmarker = self.vision.FaceLandmarker.create_from_options(self.options)

    def cycle(self, request):
        times, faces = [], 0
        for number in range(request["count"]):
            started = time.perf_counter()
            self.landmarker.close()
            self.create()
            _, found = self.detect(number)
            times.append((time.perf_counter() - started) * 1e3)
            faces += bool(found)
        self.caller.send(say="ran", times_ms=times, faces=faces, landmarks=[])

    def detect(self, index):
        """Time of one detection in milliseconds, and each face's landmarks. The image is new each time, as in an
        application: MediaPipe keeps the texture it uploaded, so a reused image would spare the GPU its upload."""
        frame = self.frames[index % len(self.frames)]
        if self.legacy:
            started = time.perf_counter()
            result = self.landmarker.process(frame)
            elapsed = time.perf_counter() - started
            return elapsed * 1e3, [face.landmark for face in result.multi_face_landmarks or ()]
        image = self.mediapipe.Image(image_format=self.mediapipe.ImageFormat.SRGBA, data=frame)
        if self.video:
            self.clock_ms += FRAME_MS
            started = time.perf_counter()
            result = self.landmarker.detect_for_video(image, self.clock_ms)
        else:
            started = time.perf_counter()
            result = self.landmarker.detect(image)
        return (time.perf_counter() - started) * 1e3, result.face_landmarks

    def run(self, request):
        indices, height, width = request.get("points"), self.frames.shape[1], self.frames.shape[2]
        times, faces, landmarks = [], 0, []
        gc.collect()
        gc.disable()
        for number in range(request["first"], request["first"] + request["count"]):
            elapsed, found = self.detect(number)
            times.append(elapsed)
            faces += bool(found)
            if indices is not None:
                face = found[0] if found else None
                points = [[round(face[i].x * width, 2), round(face[i].y * height, 2)] for i in indices] if face else []
                landmarks.append({"frame": number % len(self.frames), "points": points})
        gc.enable()
        seen = look() if request.get("look") else {}
        self.caller.send(say="ran", times_ms=times, faces=faces, landmarks=landmarks, **seen)


def look():
    """Libraries mapped and device files open right now; a reason where /proc cannot be read."""
    numbers = attempt(open_devices)
    devices = numbers if "unread" in numbers else sorted(numbers)
    return {"libraries": attempt(mapped_libraries), "devices": devices, "device_numbers": numbers}


def attempt(read):
    try:
        return read()
    except Exception as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


def mapped_libraries():
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        paths = {line.split(None, 5)[5].strip() for line in maps if line.count("/") and len(line.split(None, 5)) == 6}
    return sorted(path for path in paths if LIBRARY.search(path.rsplit("/", 1)[-1]))


def open_devices():
    """MAJOR:MINOR of the character device behind each open GPU device file; "" for a file that is no such device."""
    import fcntl

    found = {}
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink("/proc/self/fd/" + descriptor)
            # A descriptor that only names the file (O_PATH) has not opened it.
            if DEVICE.match(path) and not fcntl.fcntl(int(descriptor), fcntl.F_GETFL) & O_PATH:
                seen = os.fstat(int(descriptor))
                number = "%d:%d" % (os.major(seen.st_rdev), os.minor(seen.st_rdev))
                found[path] = number if stat.S_ISCHR(seen.st_mode) else ""
        except OSError:
            pass
    return found


def serve(caller):
    worker = Worker(caller)
    while True:
        request = caller.receive()
        if request is None:
            return
        caller.token = request.get("token", caller.token)
        try:
            if request["do"] == "load":
                worker.load(request)
            elif request["do"] == "run":
                worker.run(request)
            elif request["do"] == "cycle":
                worker.cycle(request)
            else:
                caller.send(say="stopped")
                return
        except BaseException as error:
            caller.send(say="failed", type=type(error).__name__, error=str(error)[-20000:])


leave_with_parent()
serve(Caller())
# Destructors of a half-broken GL stack may crash; what had to be said has been said.
sys.stderr.flush()
os._exit(0)
