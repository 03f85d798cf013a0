"""A program of `--stage name=NAME,program=PATH`: it looks at the volume while it is made.

    stage = slipring.Stage()
    for volume in stage.volumes():          # the newest one each time; at last the finished one
        stage.report(mean=float(volume.mean()))

With `writes=labels:u8` or `writes=volume:f32` it makes a volume of its own, which stages behind it read (`reads=NAME`):

    for volume in stage.volumes():
        with stage.output() as labels:      # no copy: what others read, once the block has ended
            np.less(volume, 0.01, out=labels, casting="unsafe")

What it reports is on the run's page, in its metrics and in its result. Whatever it does, the run goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import SlipringError, Unavailable
from ._memory import Generation, SharedRun, StageVolume
from ._run import Run

_BEAT, _LOOK = 1.0, 0.05


class Stage:
    """What the environment of such a program says; `run` is the run, `shared` its volume in memory."""

    def __init__(self) -> None:
        try:
            folder, self.name = os.environ["SLIPRING_RUN_FOLDER"], os.environ["SLIPRING_STAGE"]
        except KeyError:
            raise Unavailable("this program is for --stage: slipring starts it, with SLIPRING_STAGE") from None
        every = os.environ.get("SLIPRING_STAGE_EVERY", "update")
        self._is_final = every == "final"
        self._interval = float(every[:-1]) if every[:-1].isdigit() else 0.0
        self.run, self.shared = Run(folder), SharedRun()
        reads = os.environ.get("SLIPRING_STAGE_READS", "volume")
        #: The volume of the stage that this one reads; None for the run's.
        self.source: StageVolume | None = None if reads == "volume" else self.shared.stage(reads)
        self._output = self.shared.stage(self.name, writable=True) if "SLIPRING_STAGE_WRITES" in os.environ else None
        #: Whether the volume that was given last is the finished one.
        self.is_last = False
        #: Generations of the volume that went by while the program was at work.
        self.skipped = 0
        self._beaten = 0.0
        self._given: Generation = (0, 0)

    def report(self, **figures: float) -> None:
        """Says figures, 32 finite numbers at most; none are a sign of life."""
        print(json.dumps(figures, allow_nan=False), flush=True)
        self._beaten = time.monotonic()

    def beat(self) -> None:
        """To be called at least once a minute by a program that has reported something."""
        if time.monotonic() - self._beaten > _BEAT:
            self.report()

    def is_current(self) -> bool:
        """Whether the view of another stage's volume that was given last is still what it was: to be asked behind the
        reading. A copy of the run's volume is."""
        return self.source is None or self.source.is_current(self._given)

    def volumes(self) -> Iterator[NDArray[Any]]:
        """The newest volume each time that there is one (`every=`), none twice; at last the finished one. Of the run's
        a copy, f32; of another stage's a read-only view, which holds until that has made another one (`is_current`).
        """
        seen, due = [0] * len(self._newest()), 0.0
        while True:
            ready, _, _ = select.select([sys.stdin.fileno()], [], [], _LOOK)
            # The end of the input is the end of the work on what is read.
            self.is_last = bool(ready) and not os.read(sys.stdin.fileno(), 4096)
            newest = self._newest()
            wants = newest != seen and all(newest) and time.monotonic() >= due and not self._is_final
            if wants or self.is_last:
                if any(seen):
                    self.skipped += max(0, max(new - old for new, old in zip(newest, seen)) - 1)
                seen, due = newest, time.monotonic() + self._interval
                yield self._volume()
            if self.is_last:
                return
            self.beat()

    def _newest(self) -> list[int]:
        if self.source is not None:
            return [self.source.newest()[0]]
        return [volume.newest()[0] for volume in self.shared.volumes]

    def _volume(self) -> NDArray[Any]:
        if self.source is None:
            self._given = (min(self._newest()), 0)
            return self.shared.copy()
        self._given = self.source.newest()
        if not self._given[0]:
            raise Unavailable("the stage that this one reads has made nothing")
        return self.source.array(self._given)

    @contextlib.contextmanager
    def output(self) -> Iterator[NDArray[Any]]:
        """The volume that this stage writes, (z, row, column): to be filled whole. Others read it once the block has
        ended well; it is complete where it was made from the finished volume."""
        if self._output is None:
            raise SlipringError(f"--stage name={self.name} has no writes=: it says figures alone")
        yield self._output.begin()
        self._output.publish(self._given[0], self.is_last)
