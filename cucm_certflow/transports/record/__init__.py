"""Records what is said to a cluster and what it says, without secrets, and replays it."""

from cucm_certflow.transports.record.document import Recording
from cucm_certflow.transports.record.http import ReplayWire
from cucm_certflow.transports.record.recorder import Recorder, open_recording
from cucm_certflow.transports.record.seam import RecordedClock, RecordingTransport, ReplayTransport
from cucm_certflow.transports.record.shell import ReplayShells

__all__ = [
    "RecordedClock",
    "Recorder",
    "Recording",
    "RecordingTransport",
    "ReplayShells",
    "ReplayTransport",
    "ReplayWire",
    "open_recording",
]
