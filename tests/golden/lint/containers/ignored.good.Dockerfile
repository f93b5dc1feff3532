FROM python:3.12-slim
# the base is mended by another team
# envcheck: ignore[SRC831,SRC832] libraries are mounted
RUN pip install \
    mediapipe==1.2.2
