# /// script
# requires-python = ">=3.10"
# dependencies = ["flatbuffers==25.12.19", "numpy>=1.26", "pip>=24"]
# ///
"""Write envcheck/data/face_mesh.task: a FaceLandmarker bundle made of the FaceMesh models in MediaPipe's own wheel.

    uv run scripts/make_bundle.py [--wheel FILE] [--output FILE]

MediaPipe wheels up to 0.10.21 carry the FaceMesh models; later ones carry none. FaceMesh answers with 468 points and
the FaceLandmarker graph reads 478, so two operators are appended to the landmark model: a slice that repeats ten of the
points where the iris would be, and a concatenation. Points 0 to 467 stay what FaceMesh says; 468 to 477 mean nothing.

The result is the same byte for byte on every run. `--wheel` names the wheel if it was downloaded
before; otherwise pip fetches it, by hash, under the user's own settings.
"""

from __future__ import annotations

import argparse
import io
import types
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from pinned_wheel import PinnedWheel, publish

BUNDLE = Path(__file__).resolve().parents[1] / "envcheck" / "data" / "face_mesh.task"
WHEEL = PinnedWheel(
    requirement="mediapipe==0.10.21",
    filename="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    python="3.11",
    platform="manylinux_2_28_x86_64",
)
DETECTOR = "mediapipe/modules/face_detection/face_detection_short_range.tflite"
LANDMARKS = "mediapipe/modules/face_landmark/face_landmark.tflite"
SCHEMA = "mediapipe/tasks/metadata/schema_py_generated.py"
MEMBERS = {
    DETECTOR: "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    LANDMARKS: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    SCHEMA: "49a26cf90cdf5271271e61f61d4bf3a293da4777824c73d08f5cb9e0e2cbc29a",
}

FACEMESH_VALUES = 468 * 3
STAND_IN = (390, 420)
"""Which values are repeated as the iris: points 130 to 139, ten of them, three values each."""

# The schema declares `force_align: 16` for buffers; kernels read constants in place, and MediaPipe 1.2.2 warns
# "Tensor data buffer … is not aligned" otherwise. It holds only if the member begins at such an offset of the zip too.
ALIGNMENT = 16


def load_schema(source: bytes) -> types.ModuleType:
    """The object API of the TFLite schema, with buffers packed at the alignment that the schema asks for."""
    schema = types.ModuleType("tflite_schema")
    exec(compile(source, SCHEMA, "exec"), schema.__dict__)  # its sha256 is pinned above

    def pack_aligned(buffer: Any, builder: flatbuffers.Builder) -> int:
        data = None
        if buffer.data is not None:
            raw = np.asarray(buffer.data, np.uint8).tobytes()
            builder.StartVector(1, len(raw), ALIGNMENT)
            builder.head -= len(raw)
            builder.Bytes[builder.head : builder.head + len(raw)] = raw
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)

    schema.BufferT.Pack = pack_aligned
    return schema


class Graph:
    """A model that is being extended: adds tensors and operators to its only subgraph."""

    def __init__(self, schema: types.ModuleType, data: bytes) -> None:
        self._schema = schema
        self.model = schema.ModelT.InitFromPackedBuf(data, 0)
        (self.subgraph,) = self.model.subgraphs

    def tensor(self, name: str, shape: list[int], type_: int, data: bytes = b"") -> int:
        """The index of a new tensor; constant where `data` is given, with a buffer of its own."""
        tensor, buffer = self._schema.TensorT(), self._schema.BufferT()
        if data:
            buffer.data = np.frombuffer(data, np.uint8)
            self.model.buffers.append(buffer)
        tensor.name, tensor.shape, tensor.type = name, shape, type_
        tensor.buffer = len(self.model.buffers) - 1 if data else 0
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def integers(self, name: str, values: list[int]) -> int:
        """The index of a new constant tensor of 32-bit integers."""
        return self.tensor(name, [len(values)], self._schema.TensorType.INT32, np.asarray(values, "<i4").tobytes())

    def operator(self, kind: str, inputs: list[int], output: int, **options: int) -> None:
        """Append one operator; `kind` names its options class, such as "StridedSlice"."""
        schema = self._schema
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        names = {"StridedSlice": "STRIDED_SLICE", "Concatenation": "CONCATENATION"}
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, names[kind])
        code.version = 1
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        operator.builtinOptions = getattr(schema, f"{kind}OptionsT")()
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
        self.subgraph.operators.append(operator)

    def pack(self) -> bytes:
        """The model as a flatbuffer with the file identifier of TFLite."""
        builder = flatbuffers.Builder(2 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def with_478_points(schema: types.ModuleType, model: bytes) -> bytes:
    """FaceMesh's landmark model with ten of its points repeated, so that output 0 has 478 x 3 values."""
    graph = Graph(schema, model)
    points = graph.subgraph.outputs[0]
    if list(graph.subgraph.tensors[points].shape) != [1, 1, 1, FACEMESH_VALUES]:
        raise SystemExit(f"output 0 of {LANDMARKS} is not [1, 1, 1, {FACEMESH_VALUES}]")
    start, stop = STAND_IN
    float32 = schema.TensorType.FLOAT32
    begin = graph.integers("iris_begin", [0, 0, 0, start])
    end = graph.integers("iris_end", [1, 1, 1, stop])
    strides = graph.integers("iris_strides", [1, 1, 1, 1])
    iris = graph.tensor("iris_stand_in", [1, 1, 1, stop - start], float32)
    output = graph.tensor("points_478", [1, 1, 1, FACEMESH_VALUES + stop - start], float32)
    graph.operator("StridedSlice", [points, begin, end, strides], iris)
    graph.operator("Concatenation", [points, iris], output, axis=3)
    graph.subgraph.outputs = [output, *graph.subgraph.outputs[1:]]
    return graph.pack()


def stored_zip(members: dict[str, bytes]) -> bytes:
    """A zip of stored members with fixed times, each beginning at a multiple of ALIGNMENT."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            header = zipfile.sizeFileHeader + len(name)
            padding = -(file.tell() + header + 4) % ALIGNMENT
            # Header 0xD935 is Android's zipalign: an extra field that says nothing.
            info.extra = (0xD935).to_bytes(2, "little") + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(info, data)
    return file.getvalue()


def main() -> None:
    """Extract, check, extend and write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help=WHEEL.filename)
    parser.add_argument("--output", type=Path, default=BUNDLE)
    arguments = parser.parse_args()
    parts = WHEEL.members(MEMBERS, arguments.wheel)
    landmarks = with_478_points(load_schema(parts[SCHEMA]), parts[LANDMARKS])
    members = {"face_detector.tflite": parts[DETECTOR], "face_landmarks_detector.tflite": landmarks}
    publish(stored_zip(members), arguments.output)


if __name__ == "__main__":
    main()
