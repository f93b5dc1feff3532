FROM python:3.12-slim
RUN apt-get update && xargs apt-get install -y < packages.txt
RUN pip install mediapipe==1.2.2
