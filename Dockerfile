# The service and the page in a container: slim, without torch, not root, happy with a read-only root file system.
#
#   docker build -t lexifuse .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 lexifuse          the service
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 lexifuse app      the page
#
# compose.yaml adds limits. tests/test_container.py runs the steps without Docker.

FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
 && python -m venv /opt/lexifuse \
 && /opt/lexifuse/bin/pip install --no-cache-dir --constraint constraints.txt "$(echo dist/lexifuse-*.whl)[service]" \
 && /opt/lexifuse/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
COPY --from=build /opt/lexifuse /opt/lexifuse
ENV PATH=/opt/lexifuse/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LEXIFUSE_HOST=0.0.0.0 \
    LEXIFUSE_PORT=8000
USER 10001:10001
EXPOSE 8000
# SIGTERM (the default) lets the service finish what has been asked.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import sys, lexifuse.client as c; sys.exit(not c.Client('http://127.0.0.1:8000').ready())"]
ENTRYPOINT ["lexifuse"]
CMD ["serve"]
