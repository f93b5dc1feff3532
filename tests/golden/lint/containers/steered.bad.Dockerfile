FROM nvidia/opengl:1.2-glvnd-runtime-ubuntu22.04
# -> SRC839@1
ENV EGL_PLATFORM surfaceless
RUN pip install mediapipe==1.2.2
# -> SRC839@1
ENV DISPLAY=:99
