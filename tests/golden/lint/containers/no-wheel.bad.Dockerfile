FROM python:3.13
RUN apt-get update && apt-get install -y libgl1
# -> SRC834@30
RUN python -m pip -q install mediapipe==0.10.21
