FROM mambaorg/micromamba:1.5
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
RUN micromamba create -y -n mesh python=3.11
# -> SRC833@43
RUN micromamba run -n mesh pip install -U mediapipe==0.10.31
