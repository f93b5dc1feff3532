#!/bin/sh
# starts mediapipe
# -> SRC850@16
docker run -it --gpus all nvidia/cuda:12.4.1-base-ubuntu22.04 python3 app.py
# -> SRC850@28
sudo docker run --gpus=all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility app
# -> SRC850@12
docker run --gpus '"device=0","capabilities=compute,utility"' -e NVIDIA_DRIVER_CAPABILITIES=all app
# -> SRC851@46 SRC852@12 SRC854@64
docker run -e DISPLAY=$DISPLAY --env VISIBLE --device /dev/dri -u 1000 nvidia/cuda:12.4.1-base-ubuntu22.04
# -> SRC853@40
podman run --device nvidia.com/gpu=all -e LIBGL_ALWAYS_SOFTWARE=1 app
