FROM python:3.8-slim
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
RUN pip install mediapipe==0.10.11
