FROM python:3.12-slim AS unused
RUN pip install mediapipe==1.2.2
FROM python:3.12-slim AS builder
RUN /opt/venv/bin/pip install mediapipe==1.2.2
FROM python:3.12-slim
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
COPY --from=builder /opt/venv /opt/venv
