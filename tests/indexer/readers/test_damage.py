"""Damaged files: whatever is broken, the answer is one line, never a traceback or a warning."""

import tempfile
from pathlib import Path

import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import ReadError
from indexer.readers import read_image_file, read_spectrum_file, read_xp_file
from tests.indexer.readers import sample_files
from tests.indexer.readers.sample_files import FLUX, IVAR, WAVELENGTH


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("originals")
    table = Table({"wavelength": WAVELENGTH[:400], "flux": FLUX[:400], "ivar": IVAR[:400]})
    table.write(folder / "t.ecsv")
    table.write(folder / "t.xml", format="votable")
    table.write(folder / "t.csv")
    sample_files.sdss_spec(folder / "s.fits")
    sample_files.viewer_cutout(folder / "i.fits", sample_files.galaxy(100, 0.262))
    sample_files.desi_coadd(folder / "d.fits", [11])
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_gives_an_observation_or_one_line(
    originals: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(originals)))
    reach = data.draw(st.sampled_from([2880, 8640, len(content)]))
    for place in data.draw(st.lists(st.integers(0, min(reach, len(content)) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.fits"
        path.write_bytes(bytes(content[:cut]))
        for read in (lambda: read_spectrum_file([path]), lambda: read_image_file([path])):
            _answers(read)
        _answers(lambda: read_xp_file(path))


def _answers(read) -> None:
    try:
        read()
    except ReadError as error:
        text = str(error)
    else:
        return
    assert text.startswith("damaged.fits: ")
    assert "\n" not in text
