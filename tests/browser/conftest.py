"""A real browser against a real server: Debian's chromium, driven by playwright."""

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from benchmarks.page_speed import chromium
from benchmarks.serving import served

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 45.0

SEED = 20261
"""Of the simulated sources that are uploaded: a sky that nothing else uses."""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def index_dir():
    index = Path(os.environ.get("AION_SEARCH_INDEX") or ROOT / "var/demo/index")
    if not (index / "index.json").is_file():
        pytest.skip(f"no index at {index}: run `make index`, or name one in AION_SEARCH_INDEX")
    return index.resolve()


@pytest.fixture(scope="session")
def server(index_dir, tmp_path_factory):
    """Address of the page, served as README says."""
    log = tmp_path_factory.mktemp("server") / "log"
    with served(index_dir, log) as up:
        yield up.address
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = chromium()
    if executable is None:
        pytest.skip("no chromium on PATH; install it, or name it in CHROMIUM")
    with playwright.sync_playwright() as started:
        # Chromium's sandbox refuses to run as root, as continuous integration does.
        instance = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield instance
        instance.close()


@pytest.fixture(scope="session")
def desktop(browser):
    """One browser profile for all pages: the page's own scripts are loaded once."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(PATIENCE_S * 1000)
    yield context
    context.close()


@pytest.fixture
def page(desktop, server):
    """A page of its own, which may ask nobody but the server, and must not fail in JavaScript."""
    opened = desktop.new_page()
    elsewhere, failures = [], []
    opened.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server, "data:", "blob:"))
            else elsewhere.append(request.url)
        ),
    )
    opened.on("pageerror", lambda error: failures.append(str(error)))
    yield opened
    opened.close()
    assert not elsewhere, f"the page asked elsewhere: {elsewhere}"
    assert not failures, f"errors in the browser: {failures}"


@pytest.fixture(scope="session")
def uploads(tmp_path_factory):
    """An image file and a spectrum file of simulated sources that no index holds."""
    from demo_sky import simulate_source

    folder = tmp_path_factory.mktemp("uploads")
    record = simulate_source(SEED, 1, ("legacysurvey",)).data["legacysurvey"]
    cutout = fits.PrimaryHDU(np.asarray(record["image_array"], np.float32))
    centre = (np.array(cutout.data.shape[:0:-1]) + 1) / 2
    degrees = 0.262 / 3600
    cutout.header.update(
        SURVEY="LegacySurvey",
        VERSION="ls-dr10",
        BANDS="griz",
        CTYPE1="RA---TAN",
        CTYPE2="DEC--TAN",
        CRVAL1=float(record["ra"]),
        CRVAL2=float(record["dec"]),
        CRPIX1=float(centre[0]),
        CRPIX2=float(centre[1]),
        CD1_1=-degrees,
        CD1_2=0.0,
        CD2_1=0.0,
        CD2_2=degrees,
    )
    cutout.writeto(folder / "cutout.fits")

    record = simulate_source(SEED, 3, ("sdss",)).data["sdss"]
    spectrum = Table(
        {
            "wavelength": np.asarray(record["spectrum_lambda"], float),
            "flux": np.asarray(record["spectrum_flux"], float),
            "ivar": np.asarray(record["spectrum_ivar"], float),
        },
        units={
            "wavelength": "Angstrom",
            "flux": "1e-17 erg / (s cm2 Angstrom)",
            "ivar": "1e34 s2 cm4 Angstrom2 / erg2",
        },
    )
    spectrum.write(folder / "spectrum.ecsv", format="ascii.ecsv")

    (folder / "letter.fits").write_text("Dear Sir, this is no spectrum.\n")
    return folder
