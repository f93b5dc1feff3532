#!/bin/sh
docker run -e MEDIAPIPE_MODELS=/models --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all app
