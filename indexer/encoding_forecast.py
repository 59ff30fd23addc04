"""How long encoding takes: what the cores read, and what the model makes of it, side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.fleet import Fleet
from indexer.rates import Quantity, encode_rate, read_rate
from indexer.workload import Portion

__all__ = ["EncodingForecast", "encoding_forecast"]


@dataclass(frozen=True)
class EncodingForecast:
    """Hours of reading and of encoding.

    Attributes
    ----------
    fleet
        What it is done by.
    read, encode
        Hours for each portion of the work, by all cores and all devices.
    input_bytes
        Of the survey files.
    """

    fleet: Fleet
    read: tuple[Quantity, ...]
    encode: tuple[Quantity, ...]
    input_bytes: float

    @property
    def read_hours(self) -> float:
        """Of all portions."""
        return sum(each.value for each in self.read)

    @property
    def encode_hours(self) -> float:
        """Of all portions."""
        return sum(each.value for each in self.encode)

    @property
    def hours(self) -> float:
        """By the clock: of the slower one where GPUs encode, of both where they share the cores."""
        if self.fleet.gpu:
            return max(self.read_hours, self.encode_hours)
        return self.read_hours + self.encode_hours

    @property
    def gpu_hours(self) -> float:
        """Hours that GPUs are held, whether they are fed or wait."""
        return self.hours * self.fleet.devices if self.fleet.gpu else 0.0

    @property
    def cores_to_feed(self) -> int:
        """Cores of a node with which its GPUs never wait for files."""
        if not self.encode_hours:
            return 1
        return math.ceil(self.read_hours / self.encode_hours * self.fleet.node.cores)

    @property
    def bytes_per_s(self) -> float:
        """What the disks must give to all nodes together."""
        return self.input_bytes / (3600.0 * self.hours) if self.hours else 0.0


def encoding_forecast(portions: Sequence[Portion], model: str, fleet: Fleet) -> EncodingForecast:
    """Predict hours of reading and encoding.

    Parameters
    ----------
    portions
        The work.
    model
        Of `indexer.forecast.DIMENSIONS`.
    fleet
        What it is done by.

    Raises
    ------
    ManifestError
        If no rate is known; the message names those that are.
    """
    read, encode, size = [], [], 0.0
    for each in portions:
        reading = read_rate(each.reader, each.modality)
        hours = each.count / (reading.per_s * fleet.cores) / 3600.0
        read.append(Quantity(f"read {each.modality}", hours, reading.basis, reading.source))
        size += each.count * reading.bytes_per_object
        encoding = encode_rate(model, fleet.device, each.modality)
        hours = each.count / (encoding.per_s * fleet.devices) / 3600.0
        encode.append(Quantity(f"encode {each.modality}", hours, encoding.basis, encoding.source))
    return EncodingForecast(fleet, tuple(read), tuple(encode), size)
