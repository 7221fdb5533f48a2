"""Whole numbers in few bytes: one for every seven bits of each.

The lowest bits come first, and the highest bit of a byte is set where more follow. So that small numbers
below 0 are short, too, a number is kept as twice itself, and one below 0 as one less than twice its amount.
"""

from __future__ import annotations

from collections.abc import Iterable


def packed(numbers: Iterable[int]) -> bytes:
    """Numbers of any size and sign, and any number of them; none is no bytes."""
    out = bytearray()
    for number in numbers:
        rest = number * 2 if number >= 0 else -2 * number - 1
        while rest > 127:
            out.append(rest & 127 | 128)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def unpacked(kept: bytes | memoryview) -> list[int]:
    """The numbers that these bytes were packed of. Raises ValueError where the last one has no end."""
    numbers = []
    number = shift = 0
    for byte in kept:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(-(number + 1 >> 1) if number & 1 else number >> 1)
            number = shift = 0
    if shift:
        raise ValueError("The last of these packed numbers has no end")
    return numbers
