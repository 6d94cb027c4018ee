"""zstd in and out of a store, hashing both sides on the way."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
CHUNK = 1 << 20
"""Bytes held at a time; the whole of a file is never in memory."""


@dataclass(frozen=True)
class Packed:
    """Sizes in bytes and hex SHA-256 of what was read and of what was written."""

    content_bytes: int
    content_sha256: str
    stored_bytes: int
    stored_sha256: str


@dataclass(frozen=True)
class Unpacked:
    """What came out of the store; `problem` says why it broke off, "" when it did not."""

    content_bytes: int
    content_sha256: str
    stored_bytes: int
    stored_sha256: str
    problem: str
    seconds: float


def pack(source: BinaryIO, target: BinaryIO, advance: Callable[[int], None]) -> Packed:
    """Given a stream, write it to `target` as one zstd frame with a checksum. Raise OSError."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: LEVEL,
        zstd.CompressionParameter.checksum_flag: 1,
        zstd.CompressionParameter.nb_workers: 2,
    }
    compressor = zstd.ZstdCompressor(options=options)
    content, stored = _Counter(), _Counter()
    while chunk := source.read(CHUNK):
        content.add(chunk)
        target.write(stored.add(compressor.compress(chunk)))
        advance(len(chunk))
    target.write(stored.add(compressor.flush()))
    return Packed(content.bytes, content.hexdigest(), stored.bytes, stored.hexdigest())


def unpack(source: BinaryIO, target: Path, limit: int, advance: Callable[[int], None]) -> Unpacked:
    """Given a stored stream, write its content to `target`, a new file, but never more than `limit` bytes.

    Damage in the stream is told in `problem`; raise OSError for trouble with `target`.
    """
    began = time.monotonic()
    decompressor = zstd.ZstdDecompressor()
    content, stored = _Counter(), _Counter()
    problem = ""
    with target.open("xb") as out:
        while not problem and (chunk := source.read(CHUNK)):
            stored.add(chunk)
            try:
                while not decompressor.eof:
                    piece = decompressor.decompress(chunk, max_length=CHUNK)
                    chunk = b""
                    out.write(content.add(piece))
                    advance(len(piece))
                    if content.bytes > limit:
                        problem = f"more than the recorded {limit} bytes came out"
                        break
                    if decompressor.needs_input:
                        break
            except zstd.ZstdError as error:
                problem = str(error)
        if not problem and not decompressor.eof:
            problem = "it ends too early"
        elif not problem and decompressor.unused_data:
            problem = "something was added behind its end"
    seconds = time.monotonic() - began
    return Unpacked(content.bytes, content.hexdigest(), stored.bytes, stored.hexdigest(), problem, seconds)


class _Counter:
    """Counts and hashes what passes through it."""

    def __init__(self) -> None:
        self.bytes = 0
        self._hash = hashlib.sha256()

    def add(self, chunk: bytes) -> bytes:
        self.bytes += len(chunk)
        self._hash.update(chunk)
        return chunk

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
