FROM python:3.12-slim
RUN apt-get update && apt-get install -y libgl1 libglib2.0-0
# -> SRC836@36
RUN pip install mediapipe==0.10.21 opencv-python-headless
