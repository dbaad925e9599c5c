"""TensorFlow's checkpoint files (version 2, one shard) without TensorFlow.

The index is a table of LevelDB's format whose values are protocol buffers of
tensorflow/core/protobuf/tensor_bundle.proto; the shard holds the numbers one after another.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_FLOAT = 1
_PLAIN = 0


def read_checkpoint(folder: Path, name: str = "") -> dict[str, np.ndarray[Any, Any]]:
    """The float32 tensors of the checkpoint `folder`/`name`.index by name, for instance "dense/kernel".

    Raises `ValueError` for a file that is not of this kind and `OSError` for one that cannot be read.
    """
    index = (folder / f"{name}.index").read_bytes()
    shard = (folder / f"{name}.data-00000-of-00001").read_bytes()
    tensors = {}
    for key, value in _entries(index):
        if not key:  # the header
            continue
        fields = dict(_fields(value))
        if fields.get(1) != _FLOAT:
            continue
        sizes = [dict(_fields(size)) for number, size in _fields(fields.get(2, b"")) if number == 2]
        start, size = int(fields.get(4, 0)), int(fields.get(5, 0))
        tensor = np.frombuffer(shard[start : start + size], "<f4")
        tensors[key.decode()] = tensor.reshape([int(size.get(1, 0)) for size in sizes])
    return tensors


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER or struct.unpack("<Q", table[-8:])[0] != _MAGIC:
        raise ValueError("no table")
    footer = table[-_FOOTER:]
    _start, place = _varint(footer, 0)  # of the meta index, which is not used
    _size, place = _varint(footer, place)
    start, place = _varint(footer, place)
    size, _place = _varint(footer, place)
    for _key, handle in _block(table, start, size):
        start, place = _varint(handle, 0)
        size, _place = _varint(handle, place)
        yield from _block(table, start, size)


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = table[start : start + size]
    if len(block) < size or size < 4 or table[start + size] != _PLAIN:
        raise ValueError("a damaged or compressed block")
    restarts = struct.unpack("<I", block[-4:])[0]
    end, place, key = size - 4 - 4 * restarts, 0, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: integers, or bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            value: Any
            value, place = _varint(message, place)
        elif kind == 2:
            length, place = _varint(message, place)
            value, place = message[place : place + length], place + length
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            value, place = message[place : place + length], place + length
        else:
            raise ValueError("an unknown field")
        yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data):
            raise ValueError("cut off")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
