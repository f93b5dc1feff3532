FROM python:3.12-slim AS base
# -> SRC830@1
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
FROM base
RUN pip install mediapipe==1.2.2
