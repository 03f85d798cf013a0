"""The bit planes of the bitshuffle filter, for the senders that compress."""


def shuffle(block, size=2):
    """Bit plane after bit plane of the elements of a block."""
    count = len(block) // size
    out = bytearray(len(block))
    for element in range(count):
        for byte in range(size):
            value = block[element * size + byte]
            for bit in range(8):
                if value >> bit & 1:
                    out[(byte * 8 + bit) * (count // 8) + element // 8] |= 1 << element % 8
    return bytes(out)
