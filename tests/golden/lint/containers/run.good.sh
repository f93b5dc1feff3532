#!/bin/sh
# starts mediapipe
docker run -it --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all nvidia/cuda:12.4.1-base-ubuntu22.04 python3 app.py
docker run --gpus '"device=0","capabilities=graphics"' app
docker run --gpus all $OPTIONS nvidia/cuda:12.4.1-base-ubuntu22.04
docker run --gpus all --env-file .env nvidia/cuda:12.4.1-base-ubuntu22.04
podman run --device nvidia.com/gpu=all app
docker run --device /dev/dri -u 1000 --group-add render app
echo "docker run --gpus all nvidia/cuda:12.4.1-base-ubuntu22.04"
docker run -e CUDA=1 app -e DISPLAY=:0
