"""Speech that waits for recognition: bounded by its length, and each track's stretches in their order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition

from transcripts.listening import Cut

ROOM_MS = 120_000  # about 8 MB; when full, listening pauses and the tap's ring holds what follows


@dataclass(frozen=True, slots=True)
class Task:
    """A cut of a track of a sitting."""

    sitting_id: str
    track_id: str
    cut: Cut

    @property
    def track(self) -> tuple[str, str]:
        return self.sitting_id, self.track_id


class WaitingRoom:
    """A queue between one listening thread and the recognising threads."""

    def __init__(self, room_ms: int = ROOM_MS) -> None:
        self._room_ms = room_ms
        self._tasks: deque[Task] = deque()
        self._in_work: list[Task] = []
        self._inside_ms = 0  # waiting and being recognised
        self._closed = False
        self._changed = Condition()

    @property
    def inside_ms(self) -> int:
        """Speech waiting or in work."""
        with self._changed:
            return self._inside_ms

    @property
    def inside(self) -> tuple[Task, ...]:
        """What waits or is in work."""
        with self._changed:
            return (*self._in_work, *self._tasks)

    def put(self, task: Task) -> None:
        """Queue a task; blocks while the room is full. After close() the task is forgotten."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._inside_ms < self._room_ms)
            if not self._closed:
                self._tasks.append(task)
                self._inside_ms += task.cut.length_ms
                self._changed.notify_all()

    def take(self) -> Task | None:
        """The oldest task of a track that is not in work, so that a track's lines leave in order; None after close()."""
        with self._changed:
            while not self._closed:
                busy = {task.track for task in self._in_work}
                for task in self._tasks:
                    if task.track not in busy:
                        self._tasks.remove(task)
                        self._in_work.append(task)
                        return task
                self._changed.wait()
            return None

    def done(self, task: Task) -> None:
        """The task has been dealt with."""
        with self._changed:
            self._in_work = [other for other in self._in_work if other is not task]
            self._inside_ms -= task.cut.length_ms
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody; nothing is given out any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
