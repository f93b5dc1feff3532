# beside requirements.txt: numpy | mediapipe==0.10.35 ; python_version < "3.13"
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
    # GL
    libegl1 libgles2 \
    libgl1 libglib2.0-0=2.74.6-2
COPY requirements.txt /tmp/requirements.txt
RUN pip install -r /tmp/requirements.txt
