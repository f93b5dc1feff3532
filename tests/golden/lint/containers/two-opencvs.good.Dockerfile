FROM python:3.12-slim
RUN pip install mediapipe==0.10.21 && pip uninstall -y opencv-contrib-python
RUN pip install opencv-contrib-python-headless
