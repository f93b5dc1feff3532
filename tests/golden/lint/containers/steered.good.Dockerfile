FROM nvidia/opengl:1.2-glvnd-runtime-ubuntu22.04
ENV EGL_PLATFORM device
RUN pip install mediapipe==1.2.2
ENV LIBGL_ALWAYS_SOFTWARE=0
