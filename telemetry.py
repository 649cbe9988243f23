"""Errors to Sentry (SENTRY_DSN) and traces to OpenTelemetry (OTEL_EXPORTER_OTLP_ENDPOINT), where a setting asks for it.

Both libraries are extras, imported only then: without a setting each function here is one comparison.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import logs
import settings

if TYPE_CHECKING:
    from tracing import Tracing

_tracing: "Tracing | None" = None


def start(service: str) -> None:
    """Begin to tell, in this process, as this service; call it after a fork. An extra that is missing ends it."""
    global _tracing  # noqa: PLW0603 - one a process
    config = settings.load()
    try:
        if config.sentry_dsn:
            _start_sentry(config.sentry_dsn, service)
        if config.otlp_endpoint:
            from tracing import Tracing  # noqa: PLC0415 - an extra

            _tracing = Tracing(service)
    except ImportError as error:
        raise SystemExit(f"SENTRY_DSN needs the extra `sentry`, OTEL_EXPORTER_OTLP_ENDPOINT `otel`: {error}") from error


def stop() -> None:
    """Send what is left of traces."""
    global _tracing  # noqa: PLW0603 - one a process
    if _tracing is not None:
        _tracing.close()
        _tracing = None


def is_tracing() -> bool:
    """Whether traces are told."""
    return _tracing is not None


def accepted(payment_id: str, name: str, seconds: float, values: Mapping[str, str]) -> None:
    """Tell that a request stored a payment."""
    if _tracing is not None:
        _tracing.accepted(payment_id, name, seconds, values)


def rung(task: str, result: str) -> None:
    """Tell that a bell was to be sent."""
    if _tracing is not None:
        _tracing.rung(task, result)


def posted(states: Iterable[tuple[str, str]], seconds: float) -> None:
    """Tell that a batch was committed, which brought payments into these states; `seconds` since its claim."""
    if _tracing is not None:
        _tracing.posted(dict(states), seconds)


def called(payment_id: str, milliseconds: int, values: Mapping[str, str]) -> None:
    """Tell that a receiver of webhooks was called about a payment."""
    if _tracing is not None:
        _tracing.called(payment_id, milliseconds / 1000, values)


def _start_sentry(dsn: str, service: str) -> None:
    import sentry_sdk  # noqa: PLC0415 - an extra
    from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415

    sentry_sdk.init(
        dsn,
        default_integrations=False,
        integrations=[AtexitIntegration(callback=lambda *_: None)],  # sends what is left, and prints nothing
        auto_enabling_integrations=False,
        include_local_variables=False,  # they hold amounts, names and tokens
        max_breadcrumbs=0,
        send_default_pii=False,
        before_send=_masked,
    )
    sentry_sdk.set_tag("service", service)

    def report(line: Mapping[str, Any], error: BaseException | None) -> None:
        with sentry_sdk.new_scope() as scope:
            for name in ("logger", "request_id", "task", "payment"):
                if name in line:
                    scope.set_tag(name, str(line[name]))
            if error is None:
                sentry_sdk.capture_message(str(line["event"]), level="error")
            else:
                scope.set_tag("event", str(line["event"]))
                sentry_sdk.capture_exception(error)

    logs.report_errors_to(report)


def _masked(event: Any, _: object) -> Any:
    """The event with every text masked as in the logs."""
    if isinstance(event, str):
        return logs.masked(event)
    if isinstance(event, dict):
        return {key: _masked(value, _) for key, value in event.items()}
    if isinstance(event, list):
        return [_masked(value, _) for value in event]
    return event
