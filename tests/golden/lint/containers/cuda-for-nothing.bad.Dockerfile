# -> SRC838@1
FROM nvidia/cuda:12.4.1-devel-ubuntu22.04
ENV NVIDIA_DRIVER_CAPABILITIES=all
RUN apt-get update && apt-get install -y python3-pip libegl1 libgles2 libgl1 libglib2.0-0
RUN pip install mediapipe==1.2.2 fastapi uvicorn
