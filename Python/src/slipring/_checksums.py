"""CRC32C (Castagnoli), as it is in the headers of records and over the bands of images."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

#: Bytes of the pieces that a long run of bytes is cut into, which are computed side by side.
_PIECE = 32
_Words = NDArray[np.uint32]


def _byte_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _byte_table()


def _after_zeros(register: int, count: int) -> int:
    for _ in range(count):
        register = register >> 8 ^ _TABLE[register & 0xFF]
    return register


def _tables(columns: list[int]) -> tuple[_Words, _Words]:
    """A linear operator on registers as two tables: of the lower and of the upper 16 bits."""
    low, high = np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.uint32)
    for bit in range(16):
        low[1 << bit:2 << bit] = low[:1 << bit] ^ np.uint32(columns[bit])
        high[1 << bit:2 << bit] = high[:1 << bit] ^ np.uint32(columns[bit + 16])
    return low, high


def _apply(operator: tuple[_Words, _Words], registers: _Words) -> _Words:
    applied: _Words = operator[0][registers & np.uint32(0xFFFF)] ^ operator[1][registers >> np.uint32(16)]
    return applied


@functools.cache
def _word_step() -> tuple[_Words, _Words]:
    return _tables([_after_zeros(1 << bit, 4) for bit in range(32)])


@functools.cache
def _shift(level: int) -> tuple[_Words, _Words]:
    """What `_PIECE << level` zeros do to a register."""
    if level == 0:
        return _tables([_after_zeros(1 << bit, _PIECE) for bit in range(32)])
    half, bits = _shift(level - 1), np.uint32(1) << np.arange(32, dtype=np.uint32)
    return _tables([int(column) for column in _apply(half, _apply(half, bits))])


def crc32c(data: bytes | memoryview, before: int = 0) -> int:
    """The checksum of bytes that follow those of which it was `before`."""
    register = before ^ 0xFFFFFFFF
    if len(data) < 512:
        for byte in bytes(data):
            register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
        return register ^ 0xFFFFFFFF
    # Zeros in front change nothing of a register that begins with zero; what it begins with is the first four bytes'.
    pad = -len(data) % _PIECE
    padded = np.zeros(pad + len(data), np.uint8)
    padded[pad:] = np.frombuffer(data, np.uint8)
    padded[pad:pad + 4] ^= np.frombuffer(register.to_bytes(4, "little"), np.uint8)
    words = padded.view("<u4").reshape(-1, _PIECE // 4)
    registers = np.zeros(len(words), np.uint32)
    for column in range(_PIECE // 4):
        registers = _apply(_word_step(), registers ^ words[:, column])
    level = 0
    while len(registers) > 1:
        if len(registers) % 2:
            registers = np.concatenate([np.zeros(1, np.uint32), registers])
        registers = _apply(_shift(level), registers[0::2]) ^ registers[1::2]
        level += 1
    return int(registers[0]) ^ 0xFFFFFFFF
