#!/bin/sh
# -> SRC821@12
docker run -e MEDIAPIPE_USE_GPU=1 --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all app
