FROM --platform=linux/arm64 python:3.11-slim
RUN apt-get update && apt-get install -y libgl1 libglib2.0-0
# -> SRC833@17
RUN pip install 'mediapipe<1'
