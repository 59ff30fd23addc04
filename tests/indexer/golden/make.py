"""Makes the golden index of the present format: `python tests/indexer/golden/make.py`.

An index of every format version that was ever released stays here and stays loadable. Never make
an old one again: when the format changes, the version is raised, and this adds a folder.
"""

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent)]

from fake_sky import FAKE_TOOLS, write_fake_sky  # noqa: E402

from indexer.build import build  # noqa: E402
from indexer.index_model import FORMAT_VERSION  # noqa: E402

if __name__ == "__main__":
    target = HERE / f"format-{FORMAT_VERSION}"
    with tempfile.TemporaryDirectory() as folder:
        releases = ("fake-sdss", "fake-gaia")
        manifest = write_fake_sky(Path(folder) / "sky", releases=releases, sources=24, seed=5)
        built = Path(folder) / "index"
        build(manifest, built, weights="fake", tools=FAKE_TOOLS)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(built, target)
