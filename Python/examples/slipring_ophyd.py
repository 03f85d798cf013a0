"""Slipring as an ophyd-async detector: one collection is one scan, and its document is the volume's file.

    from ophyd_async.core import StaticPathProvider, UUIDFilenameProvider, init_devices

    with init_devices():
        tomo = Slipring("zmq+pull://detector:9999", StaticPathProvider(UUIDFilenameProvider(), folder),
            shape="2048,2448", projections=1800, fields="flats.h5")
    RE(fly_scans(tomo, number=1, timeout=600))

`fly_scans` arms Slipring, which then waits for the detector's frames; a plan of one's own triggers the detector between
kickoff and complete. Where a run fails, the plan fails with the run's own words. For ophyd-async 0.21.
"""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.protocols import StreamAsset
from bluesky.utils import MsgGenerator
from event_model import ComposeStreamResource, DataKey
from ophyd_async.core import (
    DetectorAcquireLogic, DetectorDataLogic, DetectorTriggerLogic, PathProvider, SignalR, StandardDetector,
    StreamableDataProvider, TriggerInfo, soft_signal_r_and_setter,
)

import slipring


class _Scans:
    """The runs of one stage of the device, one after the other."""

    def __init__(self, source: str, options: dict[str, Any]) -> None:
        self.source, self.options = source, options
        self.folder: pathlib.Path | None = None
        self.number = 1
        self.results: list[dict[str, Any]] = []
        self.written, self.set_written = soft_signal_r_and_setter(int, 0)
        self.state, self.set_state = soft_signal_r_and_setter(str, "idle")
        self.lost, self.set_lost = soft_signal_r_and_setter(int, 0)
        self._task: asyncio.Task[None] | None = None
        self._started: slipring.Started | None = None

    def begin(self, folder: pathlib.Path) -> None:
        """Forgets what was, and writes below `folder` from now on."""
        self.folder = folder
        self.results.clear()
        self.set_written(0)

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        target = len(self.results) + self.number
        try:
            while len(self.results) < target:
                assert self.folder is not None, "prepared before it is started"
                folder = self.folder / f"scan_{len(self.results):04d}"
                self.set_state("scanning")
                self._started = await asyncio.to_thread(
                    slipring.start, self.source, output_folder=folder, format="hdf5", **self.options)
                result = await asyncio.to_thread(self._started.wait)
                self.results.append(result)
                self.set_lost(result["lost"])
                self.set_written(len(self.results))
            self.set_state("finished")
        except Exception:
            self.set_state("failed")
            # Who counts volumes is not to wait for one that never comes: `wait` has the reason.
            self.set_written(target)
            raise

    async def wait(self) -> None:
        if self._task:
            await self._task

    async def stop(self) -> None:
        """Ends what runs, as a person would: what was acquired is reconstructed."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        if self._started and self._started.process.poll() is None:
            self._started.finalize()
        task.cancel()
        await asyncio.wait([task])


class _Trigger(DetectorTriggerLogic):
    """The detector's frames come from elsewhere: a trigger is a scan."""

    def __init__(self, scans: _Scans) -> None:
        self._scans = scans

    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:
        self._scans.number = num

    async def prepare_edge(self, num: int, livetime: float) -> None:
        self._scans.number = num


class _Acquire(DetectorAcquireLogic):
    def __init__(self, scans: _Scans) -> None:
        self._scans = scans

    async def start_acquiring(self) -> None:
        self._scans.start()

    async def wait_for_idle(self) -> None:
        await self._scans.wait()

    async def ensure_stopped(self) -> None:
        await self._scans.stop()


class _Volumes(StreamableDataProvider):
    """A file, and so a stream resource, for each volume."""

    def __init__(self, scans: _Scans, name: str) -> None:
        self._scans, self._name, self._told = scans, name, 0
        self.collections_written_signal: SignalR[int] = scans.written
        self._compose = ComposeStreamResource()

    async def make_datakeys(self, collections_per_event: int) -> dict[str, DataKey]:
        # A volume's shape is known when its scan is.
        return {
            self._name: DataKey(
                source="slipring", shape=[None, None, None], dtype="array", dtype_numpy="<f4", external="STREAM:"),
        }

    async def make_stream_docs(
        self, collections_written: int, collections_per_event: int
    ) -> AsyncIterator[StreamAsset]:
        while self._told < min(collections_written // collections_per_event, len(self._scans.results)):
            number, self._told = self._told, self._told + 1
            result = self._scans.results[number]
            path = next(path for path in result["outputs"] if path.endswith("_rec.h5"))
            bundle = self._compose(
                mimetype="application/x-hdf5", uri=f"file://localhost{path}", data_key=self._name,
                parameters={
                    "dataset": "/exchange/data", "chunk_shape": (1, result["columns"], result["columns"]),
                    "sha256": result["volumeSHA256"],
                },
                uid=None, validate=True)
            yield "stream_resource", bundle.stream_resource_doc
            yield "stream_datum", bundle.compose_stream_datum({"start": number, "stop": number + 1})


class _Data(DetectorDataLogic):
    def __init__(self, scans: _Scans, paths: PathProvider) -> None:
        self._scans, self._paths = scans, paths

    async def prepare_unbounded(self, datakey_name: str) -> StreamableDataProvider:
        info = self._paths(datakey_name)
        self._scans.begin(pathlib.Path(info.directory_path) / info.filename)
        return _Volumes(self._scans, datakey_name)

    def get_hinted_fields(self, datakey_name: str) -> Sequence[str]:
        return [datakey_name]


class Slipring(StandardDetector):
    """`source` is a scan file or a detector's address; options are those of `slipring.start`. `paths` has to give
    another folder each time, as with UUIDFilenameProvider."""

    def __init__(self, source: str, paths: PathProvider, name: str = "", **options: Any) -> None:
        scans = _Scans(source, options)
        self.state, self.lost = scans.state, scans.lost
        self.add_detector_logics(_Trigger(scans), _Acquire(scans), _Data(scans, paths))
        self.add_config_signals(self.lost)
        super().__init__(name=name)


def fly_scans(detector: Slipring, number: int = 1, timeout: float = 600) -> MsgGenerator[None]:
    """Takes `number` scans, each within `timeout` seconds, and tells of each volume as it is written."""

    @bpp.stage_decorator([detector])
    @bpp.run_decorator()
    def inner() -> MsgGenerator[None]:
        yield from bps.prepare(detector, TriggerInfo(number_of_events=number, exposure_timeout=timeout), wait=True)
        yield from bps.declare_stream(detector, name="volumes", collect=True)
        yield from bps.kickoff(detector, wait=True)
        yield from bps.complete(detector, group="scans")
        is_over = False
        while not is_over:
            try:
                yield from bps.wait(group="scans", timeout=0.5)
                is_over = True
            except TimeoutError:
                pass
            yield from bps.collect(detector, name="volumes")

    yield from inner()
