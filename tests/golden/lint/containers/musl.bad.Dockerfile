ARG IMAGE=python:3.12-alpine
# -> SRC835@1
FROM ${IMAGE}
RUN pip install mediapipe
