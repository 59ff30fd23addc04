"""Where a model runs. Loads torch only when asked."""

from typing import Any

from aion_encoder.errors import EncoderError

__all__ = ["device_named"]


def device_named(name: str) -> Any:
    """Return the torch device of a name.

    Parameters
    ----------
    name
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:<number>``.

    Raises
    ------
    EncoderError
        If there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise EncoderError(f"device must be auto, cpu, cuda or cuda:<number>, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EncoderError(
            f"device {name!r} is not there: torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return device
