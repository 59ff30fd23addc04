"""Discordant sources: planted ones come first, and every part of the score has a closed form."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from indexer.build import build
from indexer.cli import main
from indexer.discordant import Discordants, find_discordant
from indexer.discordant_table import document
from indexer.errors import QueryError, SearchError
from indexer.index_file import Index, open_index
from indexer.manifests import Manifest, ReleaseManifest
from indexer.neighbour_lists import compare_lists, values_differ
from indexer.readers.records import Partition, Record, Reject, standard_columns
from indexer.tools import Tools
from indexer.weights import open_weights
from tests.indexer.fake_sky import observation

SOURCES = 300
SWAPPED = (7, 60, 111, 190, 244, 299)
"""Sources that have the spectrum of another one, far from it in every respect."""


def _numbers(source: int) -> np.ndarray:
    """The two numbers that decide all data of a source: its redshift, and what gives its class."""
    return np.random.default_rng([77, source]).uniform(0.0, 1.0, 2)


def _latent(source: int) -> list[float]:
    """Six numbers that turn smoothly with the two; the fake sky draws from six."""
    first, second = 2.0 * _numbers(source)
    parts = [np.cos(first), np.sin(first), np.cos(second), np.sin(second)]
    return [float(part) for part in (*parts, first - 1.0, second - 1.0)]


def _spectrum_source(source: int) -> int:
    if source not in SWAPPED:
        return source
    away = [np.abs(_numbers(other) - _numbers(source)).min() for other in range(SOURCES)]
    return int(np.argmax(away))


def _read(
    manifest: Manifest, release: ReleaseManifest, partition: Partition
) -> Iterator[Record | Reject]:
    pictures = release.survey == "legacysurvey"
    for source in range(SOURCES):
        shown = source if pictures else _spectrum_source(source)
        # The redshift is one of the numbers, and the class follows another.
        numbers = _numbers(shown)
        yield Record(
            object_id=f"{source:03d}",
            ra_deg=80.0 + 0.01 * source,
            dec_deg=5.0,
            observations=(observation(release.survey, _latent(shown)),),
            columns=standard_columns()
            if pictures
            else standard_columns(
                redshift=float(numbers[0]),
                redshift_ok=True,
                object_class="QSO" if numbers[1] > 0.5 else "GALAXY",
            ),
            source_file=partition.files[0],
            source_row=source,
        )


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of simulated pictures and spectra, some of them swapped."""
    root = tmp_path_factory.mktemp("discordant")
    releases = []
    for name, survey, reader in (
        ("pictures", "legacysurvey", "image_files"),
        ("spectra", "sdss", "sdss_spec"),
    ):
        (root / f"{name}.data").write_text(name)
        releases.append(
            ReleaseManifest(
                name=name,
                title=f"Simulated {name}",
                survey=survey,
                reader=reader,
                files=(f"{name}.data",),
                simulated=True,
            )
        )
    manifest = Manifest(
        name="swapped", title="Swapped (simulated)", root=root, releases=tuple(releases)
    )
    tools = Tools(
        open_encoder=open_weights,
        partitions=lambda _, release: [Partition(release.name, release.files[0], release.files)],
        read_partition=_read,
        ignored_files=lambda _: [],
    )
    build(manifest, root / "index", weights="fake", tools=tools)
    return root / "index"


@pytest.fixture(scope="module")
def index(sky: Path) -> Index:
    return open_index(sky)


@pytest.fixture(scope="module")
def found(index: Index) -> Discordants:
    return find_discordant(index)


def _swapped(found: Discordants) -> np.ndarray:
    return np.array([int(key.partition(":")[2]) in SWAPPED for key in found.image_key])


def test_swapped_spectra_come_first(found: Discordants) -> None:
    assert len(found) == SOURCES
    assert np.all(np.diff(found.score) <= 0)
    swapped = _swapped(found)
    assert swapped[: len(SWAPPED)].sum() >= len(SWAPPED) - 1
    assert found.enrichment(swapped, 0.02) >= 0.8 * SOURCES / len(SWAPPED)
    assert found.enrichment(swapped, 1.0) == 1.0
    # Their lists are unrelated, those of the others are not.
    apart = found.image_in_spectra + found.spectrum_in_images
    assert np.median(apart[swapped]) > 0.7
    assert np.median(apart[~swapped]) < 0.35
    # Each half of the score finds them by itself, too.
    for part in (apart, found.difference):
        assert swapped[np.argsort(-part, kind="stable")][:30].sum() >= len(SWAPPED) - 2


def test_the_score_is_what_it_says(found: Discordants) -> None:
    apart = np.minimum(1.0, found.image_in_spectra + found.spectrum_in_images)
    np.testing.assert_allclose(found.score, 0.5 * (apart + found.difference))
    for name in ("score", "shared", "difference", "image_in_spectra", "spectrum_in_images"):
        values = getattr(found, name)
        assert 0.0 <= values.min() <= values.max() <= 1.0


def test_what_neighbours_imply(found: Discordants, index: Index) -> None:
    """A swapped spectrum has neighbours at its own redshift; its picture's are elsewhere."""
    swapped = np.flatnonzero(_swapped(found))
    sources = [int(found.image_key[at].partition(":")[2]) for at in swapped]
    shown = [_spectrum_source(source) for source in sources]
    by_picture = [_numbers(each)[0] for each in sources]
    by_spectrum = [_numbers(each)[0] for each in shown]
    np.testing.assert_allclose(found.redshift[swapped], by_spectrum, atol=1e-6)
    assert np.abs(found.spectrum_redshift[swapped] - by_spectrum).mean() < 0.15
    assert np.abs(found.image_redshift[swapped] - by_picture).mean() < 0.15
    assert np.mean(found.spectrum_class == found.object_class) > 0.85
    assert set(found.image_class) == {"QSO", "GALAXY"}
    assert found.receipt["compared"] == {"pictures+spectra": SOURCES}
    assert found.receipt["index"]["id"] == index.info.index_id


def test_the_same_vectors_agree_in_full() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    compared = compare_lists(vectors, vectors, np.arange(200), 10)
    assert np.all(compared.shared == 1.0)
    # Ten at the ranks 0 to 9 of 198 others: 4.5 / 198 on average.
    np.testing.assert_allclose(compared.image_in_spectra, 4.5 / 198)
    np.testing.assert_allclose(compared.spectrum_in_images, 4.5 / 198)


def test_unrelated_vectors_are_half_apart() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 600, 12)).astype(np.float32)
    compared = compare_lists(left, right, np.arange(600), 10)
    assert compared.image_in_spectra.mean() == pytest.approx(0.5, abs=0.02)
    assert compared.shared.mean() == pytest.approx(10 / 599, abs=0.005)


def test_equal_scores_count_half() -> None:
    same = np.ones((30, 2), np.float32) / np.sqrt(2, dtype=np.float32)
    compared = compare_lists(same, same, np.arange(30), 5)
    np.testing.assert_allclose(compared.image_in_spectra, 0.5)


def test_a_gallery_is_enough_to_rank_all_by_hand() -> None:
    """Against plain loops, where most sources are not in the gallery."""
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(2, 150, 6)).astype(np.float32)
    gallery = np.arange(0, 150, 3)
    compared = compare_lists(left, right, gallery, 4)
    for source in range(150):
        others = gallery[gallery != source]
        by_left, by_right = left[others] @ left[source], right[others] @ right[source]
        near = others[np.argsort(-by_left, kind="stable")[:4]]
        assert compared.image_neighbours[source].tolist() == near.tolist()
        of = dict(zip(others.tolist(), by_right, strict=True))
        shares = [(by_right > of[each]).sum() / (len(others) - 1) for each in near.tolist()]
        assert compared.image_in_spectra[source] == pytest.approx(np.mean(shares))


@settings(deadline=None)
@given(
    st.lists(st.floats(-3, 3), min_size=4, max_size=20),
    st.lists(st.floats(-3, 3), min_size=4, max_size=20),
)
def test_numbers_differ_by_the_distance_of_kolmogorov(
    left: list[float], right: list[float]
) -> None:
    found = values_differ(np.array(left), np.array(right))
    assert found == pytest.approx(ks_2samp(left, right, method="asymp").statistic)


def test_classes_differ_by_half_their_shares() -> None:
    left, right = np.array(["a", "a", "b", "b"]), np.array(["b", "b", "b", "c"])
    assert values_differ(left, right) == pytest.approx(0.5 * (0.5 + 0.25 + 0.25))
    assert values_differ(left, np.array(["z"] * 5)) == 1.0
    assert values_differ(left, left[::-1]) == 0.0
    assert np.isnan(values_differ(left, right[:3]))


def test_without_labels_the_lists_decide(index: Index) -> None:
    class Nothing:
        names = ("mass",)

        def values(self, _name: str, opened: Index) -> dict[str, np.ndarray]:
            return {name: np.full(len(of), np.nan) for name, of in opened.segments.items()}

    found = find_discordant(index, properties=["mass"], labels=Nothing())
    assert np.isnan(found.difference).all()
    apart = np.minimum(1.0, found.image_in_spectra + found.spectrum_in_images)
    np.testing.assert_array_equal(found.score, apart)
    assert document(found.first(1))["sources"][0]["difference"] is None


def test_releases_that_share_too_little(index: Index, small_index: Path) -> None:
    with pytest.raises(SearchError, match=r"pictures\+spectra: 300 sources in common, 400 are nee"):
        find_discordant(index, neighbours=100)
    with pytest.raises(QueryError, match="at least one neighbour must be compared, got 0"):
        find_discordant(index, neighbours=0)
    with pytest.raises(QueryError, match="'mass' is not known"):
        find_discordant(index, properties=["mass"])
    with pytest.raises(SearchError, match="5 neighbours need more than 6 sources, got 6"):
        compare_lists(np.eye(6, dtype="f4"), np.eye(6, dtype="f4"), np.arange(6), 5)
    golden = open_index(Path(__file__).parent / "golden" / "format-1")
    with pytest.raises(SearchError, match="this index links none"):
        find_discordant(golden)
    several = find_discordant(open_index(small_index))
    assert several.receipt["compared"] == {
        "demo-legacysurvey+demo-sdss": 149,
    }
    assert several.receipt["passed_over"] == {
        "demo-hsc+demo-sdss": "60 sources in common, 64 are needed",
        "demo-legacysurvey+demo-desi": "60 sources in common, 64 are needed",
    }


def test_marks_must_fit(found: Discordants) -> None:
    nothing = np.zeros(SOURCES, bool)
    assert np.isnan(found.enrichment(nothing, 0.1))
    with pytest.raises(ValueError, match="a share lies above 0 and is 1 at most, got 0"):
        found.enrichment(nothing, 0)
    with pytest.raises(ValueError, match="300 sources need as many marks, got 3"):
        found.enrichment(nothing[:3], 0.1)


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["discordant", *(str(each) for each in arguments)])


def test_the_command_prints_a_table(sky: Path, found: Discordants) -> None:
    result = _run(sky, "--first", 5)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "5 most discordant sources; compared: 300 of pictures+spectra"
    assert [line.split()[0] for line in lines[-5:]] == found.image_key[:5].tolist()
    assert lines[2].split()[:6] == ["image", "spectrum", "score", "apart", "differ", "shared"]


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "fits", "vot", "parquet", "json"])
def test_files_open_elsewhere(sky: Path, tmp_path: Path, found: Discordants, suffix: str) -> None:
    path = tmp_path / f"discordant.{suffix}"
    result = _run(sky, "-k", 16, "--first", 20, "--output", path)
    assert result.exit_code == 0, result.output
    if suffix == "json":
        read = json.loads(path.read_text())
        assert read["receipt"]["neighbours"] == 16
        keys = [source["image_key"] for source in read["sources"]]
        scores = [source["score"] for source in read["sources"]]
    else:
        form = {"vot": "votable", "csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(suffix, suffix)
        table = Table.read(io.BytesIO(path.read_bytes()) if suffix == "vot" else path, format=form)
        keys = [str(key.decode() if isinstance(key, bytes) else key) for key in table["image_key"]]
        scores = list(table["score"])
    assert [key.strip() for key in keys] == found.image_key[:20].tolist()
    np.testing.assert_allclose(np.array(scores, float), found.score[:20], atol=1e-6)


def test_labels_can_be_given(sky: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f"spectra:{source:03d},{source / SOURCES}" for source in range(SOURCES)]
    labels.write_text("\n".join(["key,z", *rows]) + "\n")
    result = _run(sky, "--labels", labels, "--format", "json", "--first", 400)
    assert result.exit_code == 0, result.output
    sources = json.loads(result.stdout)["sources"]
    for source in sources[:10]:
        expected = int(source["spectrum_key"].partition(":")[2]) / SOURCES
        assert source["redshift"] == pytest.approx(expected, abs=1e-4)


def test_refusals_are_one_line(sky: Path, tmp_path: Path) -> None:
    result = _run(sky, "--property", "colour")
    assert result.exit_code == 2
    assert "'colour' is not known of any object" in result.output
    result = _run(sky, "-k", 200)
    assert result.exit_code == 1
    assert result.output.startswith("Error: discordant sources need two releases that share")
    broken = Path(shutil.copytree(sky, tmp_path / "copy"))
    (broken / "index.json").unlink()
    assert _run(broken).exit_code == 1
