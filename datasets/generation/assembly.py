"""From parts to files: each file is put together as soon as all its parts are there."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import torch

from ..format import Compression, write_blocks
from ..format.schema import CHUNK_FRAMES
from ..header import Header
from ..recipe import Recipe
from ..shard import Shard
from .checksums import add_checksum
from .disk import full_disk_is_told, require_room
from .files import fingerprint, header_of, target_of
from .parts import Batch, batches_of, read_parameters_and_notes, read_part
from .report import Report

PARTS_FOLDER = "parts"


class Assembly:
    """Listens to who solves, and puts every file together as soon as its parts are there.

    Attributes:
        batches: those that were not there, in order.
    """

    def __init__(
        self,
        recipe: Recipe,
        missing: list[Shard],
        out: Path,
        device: torch.device,
        compression: Compression | None,
        report: Report,
    ) -> None:
        self._recipe = recipe
        self._out = out
        self._compression = compression
        self._report = report
        self.batches: list[Batch] = []
        self._parts: dict[Path, list[Batch]] = {}
        self._waiting: dict[Path, int] = {}
        for shard in missing:
            name = f"{shard.regime}_{fingerprint(recipe, shard, device)}"
            folder = out / PARTS_FOLDER / shard.split / name
            folder.mkdir(parents=True, exist_ok=True)
            self._parts[folder] = batches_of(recipe, shard, folder)
            absent = [batch for batch in self._parts[folder] if not batch.part.exists()]
            self._waiting[folder] = len(absent)
            self.batches += absent
            for batch in self._parts[folder]:
                if batch.part.exists():
                    num_dead = int(read_part(batch.part, "num_dead"))
                    report.found(shard, len(batch.seeds), num_dead)
        for folder, count in self._waiting.items():
            if not count:
                self._assemble(folder)

    def frame(self, batch: Batch, number: int) -> None:
        """Frame ``number`` of a batch is solved."""
        self._report.frame(batch, number)

    def dropped(self, batch: Batch) -> None:
        """A batch was given up half-way."""
        self._report.dropped(batch)

    def tell(self, message: str) -> None:
        """Something else is going on."""
        self._report.tell(message)

    def seconds_left(self) -> float:
        """Estimate the time left; 0 as long as nothing is known."""
        return self._report.seconds_left() or 0.0

    def solved(self, batch: Batch, num_dead: int) -> None:
        """A batch is saved; if it was the last of its file, put that together."""
        folder = batch.part.parent
        self._waiting[folder] -= 1
        self._report.solved(batch, num_dead)
        if not self._waiting[folder]:
            self._assemble(folder)

    def _assemble(self, folder: Path) -> None:
        parts = [batch.part for batch in self._parts[folder]]
        shard = self._parts[folder][0].shard
        header = header_of(
            self._recipe, shard, seconds=sum(float(read_part(part, "seconds")) for part in parts)
        )
        varying, notes = read_parameters_and_notes(parts)
        header = replace(
            header,
            varying_parameters=varying,
            provenance={**header.provenance, **{name: json.dumps(values) for name, values in notes.items()}},
        )
        target = target_of(self._recipe, shard, self._out)
        with full_disk_is_told(target):
            require_room(target, _size(header, self._compression))
            write_blocks(target, header, (read_part(part, "frames") for part in parts), self._compression)
        add_checksum(self._out, target)
        shutil.rmtree(folder)


def _size(header: Header, compression: Compression | None) -> int:
    """Return how many bytes a file takes, roughly: whole chunks, and a little beside its numbers."""
    frames = math.ceil(header.num_frames / CHUNK_FRAMES) * CHUNK_FRAMES
    numbers = 4 * math.prod(header.shape) // header.num_frames * frames
    return numbers // 2 if compression else numbers + 100_000
