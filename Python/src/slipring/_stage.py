"""A program of `--stage name=NAME,program=PATH`: it looks at the volume while it is made.

    stage = slipring.Stage()
    for volume in stage.volumes():          # the newest one each time; at last the finished one
        stage.report(mean=float(volume.mean()))

What it reports is on the run's page, in its metrics and in its result. Whatever it does, the run goes on.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ._errors import Unavailable
from ._memory import SharedRun
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
        #: Whether the volume that was given last is the finished one.
        self.is_last = False
        #: Generations of the volume that went by while the program was at work.
        self.skipped = 0
        self._beaten = 0.0

    def report(self, **figures: float) -> None:
        """Says figures, 32 finite numbers at most; none are a sign of life."""
        print(json.dumps(figures, allow_nan=False), flush=True)
        self._beaten = time.monotonic()

    def beat(self) -> None:
        """To be called at least once a minute by a program that has reported something."""
        if time.monotonic() - self._beaten > _BEAT:
            self.report()

    def volumes(self) -> Iterator[NDArray[np.float32]]:
        """A copy of the newest volume each time that there is one (`every=`), none twice; at last the finished one."""
        seen, due = [0] * len(self.shared.volumes), 0.0
        while True:
            ready, _, _ = select.select([sys.stdin.fileno()], [], [], _LOOK)
            # The end of the input is the end of the work on the volume.
            self.is_last = bool(ready) and not os.read(sys.stdin.fileno(), 4096)
            newest = [volume.newest()[0] for volume in self.shared.volumes]
            wants = newest != seen and all(newest) and time.monotonic() >= due and not self._is_final
            if wants or self.is_last:
                if any(seen):
                    self.skipped += max(0, max(new - old for new, old in zip(newest, seen)) - 1)
                seen, due = newest, time.monotonic() + self._interval
                yield self.shared.copy()
            if self.is_last:
                return
            self.beat()
