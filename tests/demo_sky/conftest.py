from pathlib import Path

import pytest

from demo_sky import write_sky

SEED = 5
OBJECTS = 30


@pytest.fixture(scope="session")
def written_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sky written by one process."""
    directory = tmp_path_factory.mktemp("sky")
    write_sky(directory, OBJECTS, SEED, workers=1)
    return directory
