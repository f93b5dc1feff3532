FROM --platform=linux/arm64 python:3.11-slim
RUN apt-get update && apt-get install -y libgl1 libglib2.0-0 libegl1 libgles2
RUN pip install 'mediapipe>=1.0.1'
