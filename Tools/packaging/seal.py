#!/usr/bin/env python3
"""seal.py PROGRAM SYMBOLS: takes out of a program what the compiler draws anew in each build.

`.swift_modhash` is a hash for incremental builds, which strip keeps: it becomes zeros. The build number is a hash over
that as well: it becomes that of the bytes that are left, in the program and in the file of its symbols.
"""
import hashlib
import struct
import sys

NOTE_HEAD = 16  # Sizes and type, then "GNU\0"; the number follows.


def sections(data):
    """Offset and size of each section that has bytes in the file, by name."""
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    rows = [struct.unpack_from("<IIQQQQ", data, start + size * index) for index in range(count)]
    text = rows[names][4]
    found = {}
    for name, kind, _, _, offset, length in rows:
        end = data.index(b"\0", text + name)
        if kind != 8:
            found[data[text + name:end].decode()] = offset, length
    return found


def main():
    program, symbols = sys.argv[1:]
    with open(program, "rb") as file:
        data = bytearray(file.read())
    if data[:5] != b"\x7fELF\x02":
        sys.exit(f"seal.py: {program} is no 64-bit program")
    places = sections(data)
    if ".swift_modhash" in places:
        offset, length = places[".swift_modhash"]
        data[offset:offset + length] = bytes(length)
    offset, length = places[".note.gnu.build-id"]
    number = slice(offset + NOTE_HEAD, offset + length)
    data[number] = bytes(length - NOTE_HEAD)
    build = hashlib.sha256(data).digest()[:length - NOTE_HEAD]
    data[number] = build
    with open(program, "r+b") as file:
        file.write(data)
    with open(symbols, "r+b") as file:
        other = bytearray(file.read())
        offset, length = sections(other)[".note.gnu.build-id"]
        file.seek(offset + NOTE_HEAD)
        file.write(build)


main()
