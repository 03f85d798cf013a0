"""Views of a Slipring run's shared memory for programs in Python: nothing is copied, nothing but numpy is needed.

    import slipring
    run = slipring.Run()                    # the run that started this program: SLIPRING_RUN in the environment
    for z in range(run.slices):
        run.denoised.slices[z] = my_filter(run.slice(z))
        run.denoised.complete = z + 1       # slices from the top that are as they will stay

A run is also open to any other process of the same user: slipring.Run("slipring-<run id>-"), with the id that `slipring status`
shows. While it computes, Run.updates() tells of the newest update of each worker, and Run.slice() shows what that made. A volume has three
generations that are written in turn, so a view holds until the next update is complete: copy it, and ask is_current() afterwards.

The bytes are drawn at VolumeRegion and DenoisedVolume in Sources/Topics.
"""

import mmap
import os
import stat
import struct

import numpy as np

_PAGE = 4096


class Refused(Exception):
    """A region that is not what it should be."""


def _map(name, writable):
    path = "/dev/shm/" + name
    fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise Refused(f"{path} is not a region of this user alone")
        if status.st_size < _PAGE:
            raise Refused(f"{path} has {status.st_size} bytes: no header")
        return mmap.mmap(fd, status.st_size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
    finally:
        os.close(fd)


class Volume:
    """The volume of one worker: `rows` slices of `columns` x `columns` voxels."""

    _UPDATE = struct.Struct("<IIQQQQQddQIIQQQQ")
    _FIELDS = (
        "phase", "iterations", "index", "cursor", "generation", "first_projection", "end_projection", "residual_squared",
        "data_squared", "nanoseconds", "first_row", "row_count", "non_finite", "clamped", "dead", "negative",
    )

    def __init__(self, name):
        self._map = _map(name, writable=False)
        magic, layout, _, _, self.partition, self.rows, self.columns, self._lanes, self._generation_bytes = struct.unpack_from(
            "<IIQQIIIIQ", self._map)
        if magic != 0x56504C53 or layout != 2:
            raise Refused(f"{name} is no volume that this module reads (layout {layout})")
        if not (0 < self.rows <= 1 << 20 and 0 < self.columns <= 5000 and self._lanes in (4, *range(16, 257, 16))):
            raise Refused(f"{name} is {self.rows} x {self.columns} with {self._lanes} lanes")
        self._pitch = (self.columns + 4) | 1
        block = ((self.columns + 4) * self._pitch + 4) * self._lanes * 4
        self._block_bytes = (block + _PAGE - 1) // _PAGE * _PAGE
        blocks = -(-self.rows // self._lanes)
        if blocks * self._block_bytes != self._generation_bytes or len(self._map) != _PAGE + 3 * self._generation_bytes:
            raise Refused(f"{name} has {len(self._map)} bytes, which is no volume of its shape")

    def newest(self):
        """The newest complete generation: its number (0 is the volume of zeros) and its slot."""
        word = struct.unpack_from("<Q", self._map, 128)[0]
        slot = (word & 3) % 3
        return struct.unpack_from("<Q", self._map, 256 + 128 * slot)[0], slot

    def is_current(self, generation):
        """Whether what was read of a generation is still what it was."""
        return self.newest() == generation

    def update(self):
        """What made the newest generation, as a dict; None for generation 0. Residuals are those before the update."""
        number, slot = self.newest()
        if number == 0:
            return None
        return dict(zip(self._FIELDS, self._UPDATE.unpack_from(self._map, 256 + 128 * slot + 8)))

    def slice(self, row, generation=None):
        """A read-only view of a slice, row 0 on top; of the newest generation unless one is given."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        block, lane = divmod(row, self._lanes)
        left = self.rows - block * self._lanes
        # The last block has no more lanes than its rows need.
        lanes = min(self._lanes, 4 if left <= 4 else (left + 15) // 16 * 16)
        slot = (generation or self.newest())[1]
        start = _PAGE + slot * self._generation_bytes + block * self._block_bytes
        start += (2 * self._pitch + 2) * lanes * 4 + lane * 4
        return np.ndarray((self.columns, self.columns), "<f4", self._map, start, (self._pitch * lanes * 4, lanes * 4))


class Denoised:
    """The denoised volume: `slices` (z, row, column), which a denoising program fills."""

    def __init__(self, name, writable=True):
        self._map = _map(name, writable)
        magic, layout, _, _, count, columns = struct.unpack_from("<IIQQII", self._map)
        if magic != 0x44504C53 or layout != 1 or len(self._map) != _PAGE + 4 * count * columns * columns:
            raise Refused(f"{name} is no denoised volume that this module knows (layout {layout})")
        #: The voxels, float32; no copy.
        self.slices = np.ndarray((count, columns, columns), "<f4", self._map, _PAGE)
        self._complete = np.ndarray((1,), "<u8", self._map, 128)
        #: The standard deviation of the noise that Slipring found in the volume.
        self.noise = struct.unpack_from("<f", self._map, 136)[0]

    @property
    def complete(self):
        """Slices from the top that are as they will stay. To be set when they are written."""
        return int(self._complete[0])

    @complete.setter
    def complete(self, count):
        if not 0 <= count <= len(self.slices):
            raise ValueError(f"{count} of {len(self.slices)} slices")
        self._complete[0] = count


class Run:
    """All of a run's volumes, one below the other."""

    def __init__(self, prefix=None):
        prefix = prefix or os.environ["SLIPRING_RUN"]
        names = [name for name in os.listdir("/dev/shm") if name.startswith(prefix + "volume.")]
        #: One for each worker, in the order of their rows.
        self.volumes = [Volume(name) for name in sorted(names, key=lambda name: int(name.rsplit(".", 1)[1]))]
        if not self.volumes:
            raise Refused(f"there is no run {prefix} in /dev/shm")
        self._prefix = prefix
        self._owners = [(volume, row) for volume in self.volumes for row in range(volume.rows)]
        #: Slices of all workers.
        self.slices = len(self._owners)
        #: Edge of a slice.
        self.columns = self.volumes[0].columns

    def slice(self, z):
        """A read-only view of slice z of the newest generation."""
        volume, row = self._owners[z]
        return volume.slice(row)

    def updates(self):
        """The newest update of each worker; None for a worker that has made none."""
        return [volume.update() for volume in self.volumes]

    @property
    def denoised(self):
        """The region that a denoising program fills; runs with --denoise have one."""
        if not hasattr(self, "_denoised"):
            self._denoised = Denoised(self._prefix + "denoised-volume")
        return self._denoised
