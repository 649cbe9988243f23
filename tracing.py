"""Traces of payments for OpenTelemetry. The trace of a payment has its id, and its first span the last half of that.

So gateway, posters and webhooks add to one trace, and nothing has to travel between them.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

LINKS_MAX = 128
"""Links of a span, as OpenTelemetry bounds them: a batch of more payments names the first of them."""

HALF = 2**64 - 1
NANOSECONDS = 1_000_000_000

Values = Mapping[str, str | int | float]


class PaymentIds(RandomIdGenerator):
    """Random ids, except for a span that begins the trace of a payment."""

    def __init__(self) -> None:
        self._local = threading.local()

    def choose(self, payment_id: str | None) -> None:
        """Set of which payment the next span of this thread is the first."""
        self._local.context = payment_id and context_of(payment_id)

    def generate_trace_id(self) -> int:
        """The id of the next trace."""
        context = getattr(self._local, "context", None)
        return context.trace_id if context else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The id of the next span."""
        context = getattr(self._local, "context", None)
        return context.span_id if context else super().generate_span_id()


def context_of(payment_id: str) -> SpanContext:
    """Where the trace of a payment begins."""
    number = UUID(payment_id).int
    return SpanContext(number, number & HALF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class Tracing:
    """Sends spans to the collector of OTEL_EXPORTER_OTLP_ENDPOINT, by the usual variables of OpenTelemetry."""

    def __init__(self, service: str) -> None:
        self._ids = PaymentIds()
        resource = Resource.create({"service.name": f"payments-{service}"})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("payments")
        self._rung: deque[str] = deque(maxlen=LINKS_MAX)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def accepted(self, payment_id: str, name: str, seconds: float, values: Values) -> None:
        """The request that stored a payment: the first span of its trace."""
        ended = time.time_ns()
        began = ended - round(seconds * NANOSECONDS)
        self._ids.choose(payment_id)
        try:
            span = self._tracer.start_span(name, Context(), SpanKind.SERVER, dict(values), start_time=began)
        finally:
            self._ids.choose(None)
        span.end(ended)
        self._rung.append(payment_id)

    def rung(self, task: str, result: str) -> None:
        """A bell for the payments accepted since the last: in the trace of the newest, with links to the others."""
        rung = [self._rung.popleft() for _ in range(len(self._rung))]
        if rung:
            *others, newest = rung
            self._end("bell", newest, 0.0, {"task": task, "result": result}, others)

    def posted(self, states: Mapping[str, str], seconds: float) -> None:
        """A batch: a span with links to the payments, and one in the trace of each, which links to that."""
        ended = time.time_ns()
        began = ended - round(seconds * NANOSECONDS)
        links = [Link(context_of(id)) for id in list(states)[:LINKS_MAX]]
        batch = self._tracer.start_span("batch", Context(), links=links, start_time=began)
        batch.set_attribute("payments", len(states))
        batch.end(ended)
        for id, state in states.items():
            span = self._tracer.start_span(
                "post", _within(id), links=[Link(batch.get_span_context())], start_time=began
            )
            span.set_attribute("state", state)
            span.end(ended)

    def called(self, payment_id: str, seconds: float, values: Values) -> None:
        """A call of a webhook receiver about a payment."""
        self._end("webhook", payment_id, seconds, values, (), SpanKind.CLIENT)

    def _end(
        self,
        name: str,
        payment_id: str,
        seconds: float,
        values: Values,
        others: Iterable[str],
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        ended = time.time_ns()
        began = ended - round(seconds * NANOSECONDS)
        links = [Link(context_of(id)) for id in others]
        self._tracer.start_span(name, _within(payment_id), kind, dict(values), links, began).end(ended)


def _within(payment_id: str) -> Context:
    return set_span_in_context(NonRecordingSpan(context_of(payment_id)), Context())
