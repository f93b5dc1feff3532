FROM python:3.12
RUN apt-get update && apt-get install -y libgl1
RUN python -m pip -q install mediapipe==0.10.21
