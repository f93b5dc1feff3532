FROM python:3.11-slim
# -> SRC832@17
RUN pip install "mediapipe==0.10.21"
