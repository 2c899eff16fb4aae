"""What the control process counts, and what every process says of its memory of the controls."""

from prometheus_client import Counter, Gauge

from config.metrics import PROCESS_REGISTRY
from overrides import memory

STREAMS = Gauge("answerable_control_streams", "Event streams that are open.", registry=PROCESS_REGISTRY)
STREAM_EVENTS = Counter(
    "answerable_control_stream_events", "Events sent on streams, by kind.", ("kind",), registry=PROCESS_REGISTRY
)
LISTENING = Gauge(
    "answerable_control_listening", "Whether changes of the controls are heard at once.", registry=PROCESS_REGISTRY
)
LAST_LOOK = Gauge(
    "answerable_control_last_look_timestamp_seconds",
    "When the controls were last compared with the database; 0 before the first time.",
    registry=PROCESS_REGISTRY,
)
LISTENING.set_function(memory.is_listening)
LAST_LOOK.set_function(memory.last_look)
