"""Where a model runs. Loads torch only when asked."""

from typing import Any

import numpy as np

from aion_encoder.errors import EncoderError

__all__ = ["device_named", "onto"]


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


def onto(values: np.ndarray[Any, Any], device: Any) -> Any:
    """Return an array as a tensor on a torch device.

    A copy to a GPU goes on while the next batch is prepared: from pinned memory, without waiting.

    Parameters
    ----------
    values
        Nobody may write to it any more; on the CPU the tensor shares its memory.
    """
    import torch

    tensor = torch.from_numpy(values)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
