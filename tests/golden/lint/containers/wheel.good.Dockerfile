FROM python:3.12-slim
ARG MP=0.10.31
ENV NVIDIA_DRIVER_CAPABILITIES=all
RUN <<EOF
apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
pip install mediapipe==1.2.2
EOF
RUN cat <<EOF > /notes
pip install mediapipe==0.10.31
EOF
