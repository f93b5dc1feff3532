# beside pyproject.toml: [tool.poetry.dependencies] | python = "^3.9" | mediapipe = "^0.10.14"
# beside poetry.lock: [[package]] | name = "mediapipe" | version = "0.10.35"
FROM python:3.11-slim
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
RUN pip install poetry && poetry config virtualenvs.create false
COPY pyproject.toml poetry.lock ./
RUN poetry install --no-root
