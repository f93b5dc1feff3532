FROM python:3.12-slim AS base
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
FROM base
ENV NVIDIA_DRIVER_CAPABILITIES=${NVIDIA_DRIVER_CAPABILITIES},graphics
RUN pip install mediapipe==1.2.2
