"""What stands under ``cupy.cuda`` that a notebook of kernels uses.

Owns: is_available, Device, Stream, Event, get_elapsed_time. The simulator's launches end before
they return, so streams and synchronisation have nothing to wait for; events measure this machine's
time, which says nothing about a GPU's.
"""

from __future__ import annotations

import time

import cudasim.geometry as geometry


def is_available() -> bool:
    """True: the simulator is always there. ``cudasim.device`` says whether a GPU is."""
    return True


class Event:
    """A moment; ``get_elapsed_time`` has the milliseconds between two."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ):
        self._at_s: float | None = None

    done = True

    def record(self, stream: Stream | None = None) -> None:
        self._at_s = time.perf_counter()

    def synchronize(self) -> None:
        """Nothing is under way once ``record`` has returned."""


def get_elapsed_time(start: Event, end: Event) -> float:
    """Milliseconds between two recorded events, of this machine's clock."""
    if start._at_s is None or end._at_s is None:
        raise ValueError("get_elapsed_time: both events must have been recorded")
    return (end._at_s - start._at_s) * 1e3


class Stream:
    """An order of launches; here every launch is done when it returns."""

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.ptr = 0

    null: Stream

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *problem) -> None:
        """Leaves the stream."""

    def synchronize(self) -> None:
        """Nothing is under way."""

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event


Stream.null = Stream(null=True)


def get_current_stream() -> Stream:
    """The one stream there is."""
    return Stream.null


class Device:
    """The simulated device, with the attributes that launch code asks for."""

    compute_capability = "80"

    def __init__(self, device: int = 0) -> None:
        self.id = device

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *problem) -> None:
        """Leaves the device."""

    def synchronize(self) -> None:
        """Nothing is under way."""

    @property
    def attributes(self) -> dict[str, int]:
        return {
            "MaxThreadsPerBlock": geometry.MAX_THREADS,
            "MaxSharedMemoryPerBlock": geometry.STATIC_SHARED_BYTES,
            "MaxSharedMemoryPerBlockOptin": geometry.MAX_SHARED_BYTES,
            "WarpSize": 32,
            "MultiProcessorCount": 1,
        }
