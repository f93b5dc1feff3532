FROM python:3.11-slim
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
RUN pip install mediapipe==1.2.2
# -> SRC821@1
ENV MEDIAPIPE_DISABLE_GPU=0
