FROM python:3.12-slim
# -> SRC899@1 SRC898@1
# envcheck: ignore[SRC833]

# -> SRC831@17 SRC832@17
RUN pip install mediapipe==1.2.2
