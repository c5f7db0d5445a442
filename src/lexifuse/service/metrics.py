"""What Prometheus gets to see of a service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from lexifuse.service.queue import WorkQueue

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, queue: WorkQueue) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "lexifuse_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "lexifuse_http_request_seconds",
            "From a request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue_seconds = Histogram(
            "lexifuse_queue_seconds", "Spent waiting for a worker.", buckets=_SECONDS, registry=registry
        )
        self.fusion_seconds = Histogram(
            "lexifuse_fusion_seconds",
            "Spent on a fusion, reading and writing pictures left out.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.fused_pixels = Counter("lexifuse_fused_pixels", "Pixels fused.", registry=registry)
        for name, value in (("waiting", lambda: queue.waiting), ("running", lambda: queue.running)):
            gauge = Gauge(f"lexifuse_queue_{name}", f"Requests {name} now.", registry=registry)
            gauge.set_function(value)
        ProcessCollector(registry=registry)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
