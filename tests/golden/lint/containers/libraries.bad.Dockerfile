# beside requirements.txt: numpy | mediapipe==0.10.35 ; python_version < "3.13"
FROM python:3.12-slim
COPY requirements.txt /tmp/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    # a comment within
    # -> SRC831@20 SRC832@20
    pip install -r /tmp/requirements.txt
