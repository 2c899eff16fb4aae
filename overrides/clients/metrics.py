"""What the control process counts."""

from prometheus_client import Counter, Gauge

from config.metrics import PROCESS_REGISTRY

STREAMS = Gauge("answerable_control_streams", "Event streams that are open.", registry=PROCESS_REGISTRY)
STREAM_EVENTS = Counter(
    "answerable_control_stream_events", "Events sent on streams, by kind.", ("kind",), registry=PROCESS_REGISTRY
)
