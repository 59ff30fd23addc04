"""Manifests: what is read, what is refused, and that those of this repository are right."""

from pathlib import Path

import pytest

from indexer.errors import ManifestError
from indexer.manifest_parts import LinkOut
from indexer.manifests import Manifest, load_manifest

MANIFESTS = Path(__file__).parents[2] / "data_manifests"

RELEASE = """
[[releases]]
name = "one"
title = "One"
survey = "desi"
reader = "mmu_hdf5"
files = ["desi/*.hdf5"]
"""


def written(folder: Path, text: str, head: str = 'name = "m"\ntitle = "M"\nroot = "sky"\n') -> Path:
    path = folder / "m.toml"
    path.write_text(head + text)
    return path


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_manifest_of_the_repository_is_valid(path: Path, tmp_path: Path) -> None:
    manifest = load_manifest(path, root=tmp_path)
    for release in manifest.releases:
        assert release.licence
        assert release.simulated or release.citation.strip().startswith("@")
        assert release.simulated or release.acknowledgement
        if release.survey in ("legacysurvey", "hsc") and release.vectors is None:
            assert release.preview is not None
        for link in release.links:
            assert link.fill("1 2", 10.0, -1.0).startswith("https://")


def test_the_five_releases_of_the_paper_are_there_with_their_counts(tmp_path: Path) -> None:
    counts = {}
    for name in ("legacysurvey-dr10", "hsc-pdr3", "sdss-dr17", "desi-edr", "gaia-dr3"):
        release = load_manifest(MANIFESTS / f"{name}.toml", root=tmp_path).release(name)
        assert release.count is not None
        counts[name] = release.count.objects
    assert sum(counts.values()) == 212_720_000


def test_hats_catalogues_are_of_the_same_releases(tmp_path: Path) -> None:
    """Under the same names, with the same columns: only where they lie differs."""
    releases = load_manifest(MANIFESTS / "mmu-hats.toml", root=tmp_path).releases
    assert len(releases) == 5
    for release in releases:
        other = load_manifest(MANIFESTS / f"{release.name}.toml", root=tmp_path).release(
            release.name
        )
        packing = {"reader", "files", "object_id"}
        assert release.reader == "mmu_hats"
        assert release.model_dump(exclude=packing) == other.model_dump(exclude=packing)


def test_root_is_given_or_in_the_environment_or_beside_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = 'name = "m"\ntitle = "M"\nroot = "../sky"\nroot_env = "SOME_ROOT"\n'
    folder = tmp_path / "manifests"
    folder.mkdir()
    path = written(folder, RELEASE, head)
    monkeypatch.delenv("SOME_ROOT", raising=False)
    assert load_manifest(path).root == tmp_path / "sky"
    monkeypatch.setenv("SOME_ROOT", str(tmp_path / "elsewhere"))
    assert load_manifest(path).root == tmp_path / "elsewhere"
    assert load_manifest(path, root=tmp_path / "given").root == tmp_path / "given"


def test_no_root_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_ROOT", raising=False)
    head = 'name = "m"\ntitle = "M"\nroot_env = "SOME_ROOT"\n'
    with pytest.raises(ManifestError, match="set SOME_ROOT or give a root"):
        load_manifest(written(tmp_path, RELEASE, head))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"desi"\n', '"lamost"\n', "survey must be one of legacysurvey, hsc"),
        ('"desi"\n', '"hsc"\n', None),
        ('"mmu_hdf5"', '"image_files"', "does not read a spectrum"),
        ('"desi/*.hdf5"', '"desi/*"', "must end in .hdf5"),
        ('"desi/*.hdf5"', '"../*.hdf5"', "must lie under the root"),
        ('"One"', '"One"\nsize = 3', "releases.0.size: Extra inputs"),
        ('name = "one"', 'name = "One!"', "releases.0.name"),
    ],
)
def test_what_a_release_must_hold(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    path = written(tmp_path, RELEASE.replace(old, new))
    if message is None:
        assert load_manifest(path).releases[0].modality == "image"
        return
    with pytest.raises(ManifestError, match=message):
        load_manifest(path)


def test_two_releases_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="distinct names, got one, one"):
        load_manifest(written(tmp_path, RELEASE + RELEASE))


def test_broken_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot read manifest"):
        load_manifest(tmp_path / "none.toml")
    with pytest.raises(ManifestError, match="not valid TOML"):
        load_manifest(written(tmp_path, "releases = ["))


def test_an_unknown_release_is_refused_with_those_there_are(tmp_path: Path) -> None:
    manifest: Manifest = load_manifest(written(tmp_path, RELEASE))
    with pytest.raises(ManifestError, match="no release 'two'; it has one"):
        manifest.release("two")


def test_links_fill_in_and_refuse_unknown_fields() -> None:
    link = LinkOut(label="x", url="https://x.org/{object_id}?ra={ra}&dec={dec}")
    assert link.fill("a/b c", 1.5, -2.0) == "https://x.org/a%2Fb%20c?ra=1.500000&dec=-2.000000"
    with pytest.raises(ValueError, match="got plate"):
        LinkOut(label="x", url="https://x.org/{plate}")


def test_the_larger_demonstration_has_the_releases_of_the_other_and_two_more(
    tmp_path: Path,
) -> None:
    demo, native = (
        load_manifest(MANIFESTS / f"{name}.toml", root=tmp_path) for name in ("demo", "demo-native")
    )
    assert native.releases[: len(demo.releases)] == demo.releases
    assert native.ignored == demo.ignored
    more = native.releases[len(demo.releases) :]
    assert [(each.survey, each.modality) for each in more] == [
        ("apogee", "spectrum"),
        ("galah", "spectrum"),
    ]
    assert all(each.native is not None for each in more)
