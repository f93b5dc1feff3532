FROM node:22-alpine AS web
RUN npm run build
FROM python:3.12-slim
RUN apt-get update && apt-get install -y libegl1 libgles2 libgl1 libglib2.0-0
COPY --from=web /dist /dist
RUN pip install mediapipe
