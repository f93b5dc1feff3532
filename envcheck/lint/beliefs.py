"""SRC816, SRC817 and SRC821: what is thought to steer MediaPipe, or to prove what it does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from envcheck.invented import INVENTED
from envcheck.lint.finding import Hit
from envcheck.lint.program import Program

SETTINGS = (
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_CACHE_DISABLE", "CUDNN_", "TF_CUDNN_",
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_", "TF_ENABLE_GPU_", "NVIDIA_TF32_OVERRIDE", "TF_FORCE_UNIFIED_MEMORY",
)  # fmt: skip
WITHOUT_CUDA = frozenset(
    ("mediapipe", "cv2", "numpy", "PIL", "matplotlib", "scipy", "pandas", "imutils", "tqdm", "skimage", "pyautogui",
     "pynput", "pygame", "flask", "fastapi", "uvicorn", "requests", "imageio", "absl", "rich", "click", "yaml",
     "psutil", "serial", "streamlit", "gradio", "screeninfo", "mss", "google", "IPython", "pytest", "typer", "pydantic",
     "av")
)  # fmt: skip
"""Packages that never read CUDA's settings. Where a file imports anything else, the setting may be meant for that."""

LINES = {
    "Created TensorFlow Lite XNNPACK delegate": "is printed with CPU and GPU alike",
    "TensorFlow Lite XNNPACK delegate for CPU": "is printed with CPU and GPU alike",
    "Created TensorFlow Lite delegate for GPU": "is printed for software GL too, and never by 0.10.33 and 0.10.35",
    "Successfully initialized EGL": "is printed with the CPU delegate too, up to 0.10.35",
}
SETTERS = frozenset(("os.environ.setdefault", "os.putenv", "os.environ.__setitem__"))
READERS = frozenset(("os.environ.get", "os.getenv", "os.environ.pop"))
SEARCHES = frozenset(
    ("find", "index", "count", "startswith", "endswith", "search", "match", "findall", "finditer", "compile")
)


def cuda_settings(program: Program) -> Iterator[Hit]:
    """SRC816: CUDA's settings in a file where only MediaPipe could be meant."""
    modules = set(imported(program))
    standard = sys.stdlib_module_names
    if "mediapipe" not in modules or any(m not in WITHOUT_CUDA and m not in standard for m in modules):
        return
    if any("cuda" in attribute.attr.lower() for attribute in program.scopes.of(ast.Attribute)):
        return
    if any(
        program.values.names(call.func) & {"subprocess.run", "subprocess.Popen", "os.system"} for call in program.calls
    ):
        return
    for node in (*program.scopes.of(ast.Subscript), *program.calls):
        name = setting(program, node)
        if name is not None and name.startswith(SETTINGS):
            yield Hit("SRC816", node, f"{name} is read by CUDA programs only")


def invented_settings(program: Program) -> Iterator[Hit]:
    """SRC821: a variable that MediaPipe is thought to read. One that the file reads itself is the program's own."""
    own = {name for node in (*program.scopes.of(ast.Subscript), *program.calls) if (name := asked(program, node))}
    for node in (*program.scopes.of(ast.Subscript), *program.calls):
        name = setting(program, node)
        if name is not None and INVENTED.fullmatch(name) and name not in own:
            yield Hit("SRC821", node, f"no MediaPipe reads {name}")


def imported(program: Program) -> Iterator[str]:
    """The first names of all imported modules; relative imports count as `.`."""
    for plain in program.scopes.of(ast.Import):
        yield from (alias.name.partition(".")[0] for alias in plain.names)
    for node in program.scopes.of(ast.ImportFrom):
        yield (node.module or "").partition(".")[0] if node.level == 0 else "."


def setting(program: Program, node: ast.AST) -> str | None:
    """The variable that a node sets in the environment."""
    return variable(program, node, ast.Store, SETTERS)


def asked(program: Program, node: ast.AST) -> str | None:
    """The variable that a node reads from the environment."""
    return variable(program, node, ast.Load, READERS)


def variable(program: Program, node: ast.AST, access: type[ast.expr_context], functions: frozenset[str]) -> str | None:
    """The name of an item of os.environ, or of what one of `functions` is called with."""
    key: ast.AST | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, access):
        key = node.slice if "os.environ" in program.values.names(node.value) else None
    elif isinstance(node, ast.Call) and node.args:
        key = node.args[0] if program.values.names(node.func) & functions else None
    names = program.values.constants(key) if key is not None else None
    return names[0] if names and isinstance(names[0], str) else None


def log_lines(program: Program) -> Iterator[Hit]:
    """SRC817: a line of the log is searched for as if it proved something."""
    for node in (*program.scopes.of(ast.Compare), *program.calls):
        for searched in needles(program, node):
            for line, truth in LINES.items():
                if line in plain(searched.value):
                    yield Hit("SRC817", searched, f"{line!r} {truth}")
                    break


def needles(program: Program, node: ast.AST) -> Iterator[ast.Constant]:
    """The texts that a comparison or a call searches for."""
    sought: list[ast.AST] = []
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        sought = [node.left]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES:
        sought = list(node.args[:1])
    elif isinstance(node, ast.Call) and any(
        n.startswith(("subprocess.", "os.system", "os.popen")) for n in program.values.names(node.func)
    ):
        sought = [inner for inner in ast.walk(node) if isinstance(inner, ast.Constant)]
    for expression in sought:
        for value in program.values.of(expression):
            if isinstance(value.node, ast.Constant) and isinstance(value.node.value, str):
                yield value.node


def plain(text: object) -> str:
    """A text without the escapes of a regular expression."""
    return str(text).replace("\\", "")
