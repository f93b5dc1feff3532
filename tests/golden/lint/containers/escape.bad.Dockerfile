# escape=`
FROM python:3.12-slim
RUN apt-get update && `
    apt-get install -y libgl1 libglib2.0-0 && `
    # -> SRC831@17
    pip install mediapipe==1.2.2
