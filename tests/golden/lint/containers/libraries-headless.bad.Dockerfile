FROM rockylinux:9
RUN dnf install -y python3.11-pip libglvnd-egl
# -> SRC831@17
RUN pip install mediapipe==1.2.2 && pip uninstall -y opencv-contrib-python && pip install opencv-contrib-python-headless
