# One image for all processes and the simulated bank; docker-compose.yml has the command and environment of each.
FROM python:3.11-slim-trixie AS build
# With what SENTRY_DSN and OTEL_EXPORTER_OTLP_ENDPOINT need; --build-arg REQUIREMENTS=requirements.txt is without.
ARG REQUIREMENTS=requirements-telemetry.txt
COPY requirements.txt requirements-telemetry.txt /
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement "/$REQUIREMENTS"
COPY . /srv/payments
RUN python -m compileall -q /srv/payments

FROM python:3.11-slim-trixie
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin payments
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 FLASK_APP=workers.cli.app
COPY --from=build /venv /venv
COPY --from=build /srv/payments /srv/payments
# Volumes are mounted on these folders, so they belong to the user who writes there.
RUN install --directory --owner 10001 --mode 0700 /bank /bank/outbox /bank/inbox
WORKDIR /srv/payments
USER 10001
EXPOSE 8000
CMD ["gunicorn", "--config", "gateway/gunicorn_conf.py", "wsgi:app"]
