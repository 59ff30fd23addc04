"""Models with random weights."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# Test modules share what is in the module beside them.
sys.path.insert(0, str(Path(__file__).parent))

from made_up_spectra import TINY, TINY_WITH_HEAD

from aion_encoder.universal_spectra import UniversalSpectraEncoder, open_universal_encoder
from aion_encoder.universal_spectra.checkpoint import write_checkpoint
from aion_encoder.universal_spectra.model import UniversalSpectra, blank_model


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_model() -> UniversalSpectra:
    return blank_model(TINY, 1).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights and a retrieval head; read only."""
    directory = tmp_path_factory.mktemp("ust") / "tiny"
    write_checkpoint(directory, blank_model(TINY_WITH_HEAD, 2), "a trial")
    return directory


@pytest.fixture(scope="session")
def tiny(tiny_directory: Path) -> UniversalSpectraEncoder:
    return open_universal_encoder(str(tiny_directory), device="cpu")


@pytest.fixture(scope="session")
def demo() -> UniversalSpectraEncoder:
    """The bundled weights."""
    return open_universal_encoder(device="cpu")
