# escape=`
FROM python:3.12-slim
RUN apt-get update && `
    apt-get install -y libgl1 libglib2.0-0 libegl1 libgles2 && `
    pip install mediapipe==1.2.2
ONBUILD RUN pip install mediapipe==0.10.31
