"""Payload: the GPUs that TensorFlow sees, as one JSON line. MediaPipe uses none of them.

TensorFlow is imported, which takes seconds and starts CUDA; so this runs only where it is installed.
"""

import json
import os

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}


def name_of(config, device):
    """The GPU's own name, where this TensorFlow tells it."""
    try:
        return str(config.experimental.get_device_details(device)["device_name"])
    except Exception:
        return str(device.name)


def observe():
    try:
        from tensorflow import config

        return {"gpus": [name_of(config, device) for device in config.list_physical_devices("GPU")]}
    except BaseException as error:
        return {"unread": "%s: %s" % (type(error).__name__, error)}


def serve():
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ.update(QUIET)
    channel.write(json.dumps(observe()) + "\n")
    channel.flush()


if __name__ == "__main__":
    serve()
    os._exit(0)
