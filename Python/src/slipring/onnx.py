"""A network as a stage of a run: what `--stage name=NAME,onnx=MODEL` starts, as `python -m slipring.onnx`.

It needs onnxruntime, the extra `onnx` of this package. The model has one input, f32 of (1, C, H, W), and one output of the
same H and W:

* C is 1, or an odd number: then a slice comes with its (C - 1) / 2 neighbours on each side, the outermost ones repeated.
* H and W are free (a name, or none), and a slice goes in as it is; or one of them or both are numbers, 8,192 at most,
  and it goes in as tiles of that size, whose rims of up to 16 voxels, where tiles overlap, are not used.
* The output of `writes=volume:f32` is (1, 1, H, W) or (1, H, W), numbers that are all finite as f32. That of
  `writes=labels:u8` is the same as whole numbers from 0 to 255, or (1, K, H, W), of whose K classes the
  largest counts; all of them are finite.

It computes on the processor, by one thread, so that equal models and volumes give equal results. A GPU is not used. A
slice, or a tile, may take half an hour.

It ends with 65 where it is no such model, and with 69 where onnxruntime is missing: neither would be better another
time.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import SlipringError, Unavailable
from ._stage import Stage

_RIM, _TILE_MAX = 16, 8192
#: Seconds between signs of life while the network works, and how many there are.
_BEAT, _BEATS_MAX = 10.0, 180
#: Of onnxruntime, what voxels may be.
_NUMBERS = {f"tensor({name})" for name in (
    "float", "double", "float16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")}
_DATA, _UNAVAILABLE = 65, 69


class Network:
    """The model in a file, for slices of a volume. Throws `SlipringError` for one that is none, or of another shape."""

    def __init__(self, path: os.PathLike[str] | str, labels: bool = False) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise Unavailable("--stage onnx= needs onnxruntime: pip install onnxruntime", _UNAVAILABLE) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise SlipringError(f"{os.fspath(path)} is no model that onnxruntime can run: {error}", _DATA) from None
        self.labels = labels
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
            raise SlipringError("the model has not one input, f32 of (1, C, H, W), and one output", _DATA)
        if outputs[0].type not in _NUMBERS:
            raise SlipringError(f"the model makes {outputs[0].type}, and not a tensor of numbers", _DATA)
        self._name = inputs[0].name
        batch, channels, *size = inputs[0].shape
        if isinstance(batch, int) and batch != 1:
            raise SlipringError(f"the model takes {batch} slices at a time, and one is given", _DATA)
        self.channels = channels if isinstance(channels, int) else 1
        if self.channels < 1 or self.channels % 2 == 0:
            raise SlipringError(
                f"the model has {self.channels} channels: 1, or a slice and its neighbours, an odd number", _DATA)
        #: Rows and columns of what goes in; None for those of the slice.
        self.tile: list[int | None] = [length if isinstance(length, int) else None for length in size]
        if not all(length is None or 1 <= length <= _TILE_MAX for length in self.tile):
            raise SlipringError(f"the model takes tiles of {size}: 1 to {_TILE_MAX} rows and columns", _DATA)

    def slice(self, volume: NDArray[Any], index: int, beat: Callable[[], None] = lambda: None) -> NDArray[Any]:
        """What it makes of a slice of a volume, (z, row, column): (row, column), f32, or u8 of labels."""
        half = self.channels // 2
        chosen = np.clip(np.arange(index - half, index + half + 1), 0, len(volume) - 1)
        image = np.ascontiguousarray(volume[chosen], np.float32)
        size = image.shape[1:]
        tile = [length or whole for length, whole in zip(self.tile, size)]
        if tuple(tile) == size:
            return self._run(image, beat)
        result = np.empty(size, np.uint8 if self.labels else np.float32)
        # A slice that is smaller than a tile is continued at its edges.
        padding = [(0, max(0, wanted - length)) for wanted, length in zip(tile, size)]
        image = np.pad(image, [(0, 0), *padding], mode="edge")
        for row, rows in _places(image.shape[1], tile[0]):
            for column, columns in _places(image.shape[2], tile[1]):
                beat()
                made = self._run(image[:, row:row + tile[0], column:column + tile[1]], beat)
                part = result[rows, columns]
                part[...] = made[rows.start - row:, columns.start - column:][:part.shape[0], :part.shape[1]]
        return result

    def _run(self, image: NDArray[np.float32], beat: Callable[[], None]) -> NDArray[Any]:
        try:
            with _beating(beat):
                made: NDArray[Any] = np.asarray(
                    self._session.run(None, {self._name: np.ascontiguousarray(image[None])})[0])
        except Exception as error:
            raise SlipringError(f"onnxruntime cannot run the model on {image.shape}: {error}") from None
        if not self.labels:
            with np.errstate(over="ignore"):
                # What f32 cannot hold is infinite there.
                made = made.astype(np.float32, copy=False)
        if not np.isfinite(made).all():
            raise SlipringError("the model makes voxels that are no numbers")
        if made.ndim == 4 and self.labels and made.shape[1] > 1:
            made = made.argmax(1)
        if made.ndim == 4 and made.shape[1] == 1:
            made = made[:, 0]
        if made.shape != (1, *image.shape[1:]):
            raise SlipringError(f"the model makes {made.shape} of {image.shape[1:]}, and not as many voxels", _DATA)
        made = np.asarray(made[0])
        if not self.labels:
            return made
        rounded: NDArray[Any] = np.rint(made)
        if rounded.min() < 0 or rounded.max() > 255:
            raise SlipringError(f"the model makes labels from {rounded.min()} to {rounded.max()}: they are 0 to 255")
        return rounded.astype(np.uint8)


@contextlib.contextmanager
def _beating(beat: Callable[[], None]) -> Iterator[None]:
    """Signs of life from a thread beside the block, for half an hour at most."""
    ended = threading.Event()

    def go() -> None:
        for _ in range(_BEATS_MAX):
            if ended.wait(_BEAT):
                return
            beat()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _places(length: int, tile: int) -> list[tuple[int, slice]]:
    """Where tiles begin, and which part of the length each makes: all of it, each once, and no rim that another has."""
    rim = min(_RIM, (tile - 1) // 2)
    begins = list(range(0, max(1, length - tile + 1), tile - 2 * rim))
    if begins[-1] + tile < length:
        begins.append(length - tile)
    ends = [begin + tile - rim for begin in begins[:-1]] + [length]
    return [(begin, slice(start, end)) for begin, start, end in zip(begins, [0, *ends[:-1]], ends)]


def main() -> int:
    """The program of the stage."""
    try:
        path = os.environ["SLIPRING_STAGE_MODEL"]
    except KeyError:
        print("slipring: this program is for --stage name=NAME,onnx=MODEL", file=sys.stderr)
        return 64
    try:
        stage = Stage()
        network = Network(path, labels=os.environ.get("SLIPRING_STAGE_WRITES") == "labels:u8")
        for volume in stage.volumes():
            if stage.source is not None:
                # A view: what that stage makes meanwhile is its next volume.
                volume = volume.copy()
                if not stage.is_current():
                    continue
            with stage.output() as output:
                for index in range(len(output)):
                    output[index] = network.slice(volume, index, stage.beat)
                    stage.beat()
            stage.report(slices=len(output), skipped=stage.skipped)
    except SlipringError as error:
        print(f"slipring: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error.exit_code, int) and error.exit_code else 70
    return 0


if __name__ == "__main__":
    sys.exit(main())
