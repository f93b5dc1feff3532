FROM python:3.12-slim
ARG MP=0.10.31
ENV NVIDIA_DRIVER_CAPABILITIES=all
RUN <<EOF
set -e
# -> SRC833@13
pip install mediapipe==${MP}
EOF
