FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04
RUN apt-get update && apt-get install -y python3-pip libglib2.0-0
RUN pip install --no-deps mediapipe==0.10.21 torch
# -> SRC829@1
ENV NVIDIA_DRIVER_CAPABILITIES=all
