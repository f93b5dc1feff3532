# beside ../compose.yaml: services: | ..a: {build: svc, gpus: [{capabilities: [gpu, utility]}]}
# -> SRC830@1
FROM nvidia/cuda:12.4.1-base-ubuntu22.04
RUN apt-get update && apt-get install -y python3-pip libegl1 libgles2 libgl1 libglib2.0-0
RUN pip install mediapipe==1.2.2 torch
