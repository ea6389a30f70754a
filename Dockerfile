# gracewatch in a container: locked dependencies, no build tools, an ordinary user, all state in one volume.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /source
RUN python3 -m venv /opt/gracewatch
COPY requirements.lock requirements-build.lock ./
# The build backend goes into a venv of its own, so that it stays behind.
RUN /opt/gracewatch/bin/python -m pip --no-cache-dir install --require-hashes --no-deps -r requirements.lock \
 && python3 -m venv /opt/build \
 && /opt/build/bin/python -m pip --no-cache-dir install --require-hashes --no-deps -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY handlers handlers
COPY config config
COPY examples examples
RUN /opt/build/bin/python -m pip --no-cache-dir wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /opt/gracewatch/bin/python -m pip --no-cache-dir install --no-deps /wheel/*.whl \
 && cp -r examples "$(/opt/gracewatch/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/" \
 && /opt/gracewatch/bin/python -m pip uninstall --yes pip setuptools

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="gracewatch" \
      org.opencontainers.image.description="Says in chat when a kernel patch breaks the rules of RCU" \
      org.opencontainers.image.licenses="MIT"
# Archives and kernel trees are read with git.
RUN command -v git >/dev/null \
 || (apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*)
COPY --from=build /opt/gracewatch /opt/gracewatch
RUN mkdir /state && chown 10001:10001 /state
ENV PATH=/opt/gracewatch/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRACEWATCH_STATE_FOLDER=/state \
    GRACEWATCH_HEALTH_HOST=0.0.0.0
USER 10001:10001
WORKDIR /state
VOLUME /state
EXPOSE 8490
HEALTHCHECK --interval=30s --timeout=6s --start-period=20s CMD ["python3", "-c", \
 "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8490/healthz', timeout=5)"]
ENTRYPOINT ["gracewatch"]
CMD ["run"]
