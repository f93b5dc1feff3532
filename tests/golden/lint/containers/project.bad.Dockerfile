# beside pyproject.toml: [tool.poetry.dependencies] | python = "^3.9" | mediapipe = "^0.10.14" | opencv-python = "*"
# beside poetry.lock: [[package]] | name = "mediapipe" | version = "0.10.35"
FROM python:3.11-slim
RUN pip install poetry && poetry config virtualenvs.create false
COPY pyproject.toml poetry.lock ./
# -> SRC831@5 SRC832@5 SRC836@5
RUN poetry install --no-root
