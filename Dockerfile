# The service for production: no compiler, no private PostgreSQL, not root. DATABASE_URL is required.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv --without-pip /opt/doisoat \
 && pip --python /opt/doisoat/bin/python install --require-hashes -r requirements/runtime.txt \
 && pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md ./
COPY service service
COPY ledger ledger
COPY providers providers
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && pip --python /opt/doisoat/bin/python install --no-deps wheels/*.whl \
 && /opt/doisoat/bin/python -m compileall -q /opt/doisoat

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin doisoat
COPY --from=build /opt/doisoat /opt/doisoat
ENV PATH=/opt/doisoat/bin:$PATH PYTHONUNBUFFERED=1 DOISOAT_HOST=0.0.0.0 DOISOAT_PORT=8000
USER 10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"DOISOAT_PORT\"]}/health/live', timeout=3)"]
ENTRYPOINT ["doisoat"]
CMD ["serve"]
