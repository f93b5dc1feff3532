FROM debian:bookworm
RUN apt-get update && apt-get install -y python3-pip libgl1 libglib2.0-0
RUN uv pip install -U  mediapipe==0.10.21
