"""envcheck: why MediaPipe FaceMesh does or does not use the GPU, proved per environment."""

__version__ = "0.1.0"
