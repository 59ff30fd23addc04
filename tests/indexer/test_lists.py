"""Lists to take away: DS9 regions, BibTeX, acknowledgements, and all of it as one archive."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from click.testing import CliRunner

from indexer import Preview, QueryError, SearchOptions, open_searcher
from indexer.archive import render_archive
from indexer.citations import acknowledgements, bibtex, bibtex_entries, releases_of
from indexer.cli import main
from indexer.ds9 import render_ds9
from indexer.export import render_hits, write_hits
from tests.indexer.test_export import BIG_ID, make_hits

GOLDEN = Path(__file__).parent / "golden" / "lists"

ANTS = """@article{Ants2001,
  author = {{Ant}, A. and {Bee}, B.},
  title = {Of {Ants}},
  year = {2001}
}"""
PACKED = """@misc{Packed2024,
  author = {{Packers}},
  year = {2024}
}"""


def release(**values: Any) -> SimpleNamespace:
    empty = {"citation": "", "acknowledgement": "", "licence": "", "homepage": ""}
    return SimpleNamespace(**{**empty, "simulated": False, "title": "Ants DR1", **values})


def index_info(encoder: str = "polymathic-ai/aion-base") -> Any:
    return SimpleNamespace(
        encoder=SimpleNamespace(repository=encoder),
        releases={
            "ants": release(
                citation=f"{ANTS}\n\n{PACKED}\n",
                acknowledgement="\nWe thank the ants.\n",
                licence="CC BY 4.0",
                homepage="https://example.org/ants",
            ),
            "bees": release(title="Bees DR2", citation=PACKED),
            "dreams": release(title="Dreams", simulated=True),
        },
    )


REGION = re.compile(
    r"^(?P<shape>circle)\((?P<ra>-?\d+\.\d+),(?P<dec>-?\d+\.\d+),(?P<radius>[\d.]+)\"\)"
    r" # (?P<attributes>.*)$"
)


def read_regions(text: str) -> list[dict[str, Any]]:
    """Read circles by the grammar that DS9 documents: comments, globals, a frame, then shapes."""
    frame, found = "", []
    lines = text.splitlines()
    assert lines[0] == "# Region file format: DS9 version 4.1"
    for line in lines:
        if line.startswith(("#", "global")):
            continue
        if line in ("icrs", "fk5", "galactic"):
            frame = line
            continue
        read = REGION.match(line)
        assert read is not None, line
        position = SkyCoord(float(read["ra"]), float(read["dec"]), unit="deg", frame=frame)
        attributes = dict(re.findall(r"(\w+)=\{([^{}]*)\}", read["attributes"]))
        found.append({"at": position, "radius": float(read["radius"]) * u.arcsec, **attributes})
    return found


def test_regions_are_these() -> None:
    assert render_hits(make_hits(), "ds9") == (GOLDEN / "hits.reg").read_bytes()


def test_regions_are_where_the_hits_are(tmp_path: Path) -> None:
    path = tmp_path / "hits.reg"
    write_hits(make_hits(), path)
    text = path.read_text()
    regions = read_regions(text)
    assert [each["text"] for each in regions] == [f"1 demo-sdss:{BIG_ID}", "2 demo-sdss:-2713437"]
    assert [each["tag"] for each in regions] == ["demo-sdss", "demo-sdss"]
    expected = SkyCoord([10.123456789012, 359.9], [-0.5, 89.9], unit="deg")
    for region, place in zip(regions, expected, strict=True):
        assert region["at"].separation(place) < 0.001 * u.arcsec
        assert region["radius"] == 2.0 * u.arcsec
    assert "# 1 more have no position" in text


def test_a_name_cannot_leave_its_braces() -> None:
    odd = np.array(["demo-sdss:}\nbox(1,2,3)", "demo-sdss:{", "demo-sdss:3"])
    regions = read_regions(render_ds9(replace(make_hits(), key=odd)).decode())
    assert [each["text"] for each in regions] == ["1 demo-sdss:  box(1,2,3)", "2 demo-sdss: "]


def test_an_empty_list_has_no_regions() -> None:
    assert read_regions(render_hits(make_hits(0), "ds9").decode()) == []


def read_bibtex(text: str) -> dict[str, dict[str, str]]:
    """Read entries by hand: a stack of braces, fields parted by commas outside of them."""
    found: dict[str, dict[str, str]] = {}
    for entry in re.split(r"^@", text, flags=re.MULTILINE)[1:]:
        kind, _, rest = entry.strip().partition("{")
        assert kind in ("article", "misc")
        assert rest.endswith("}")
        parts, depth, part = [], 0, ""
        for letter in rest[:-1]:
            depth += {"{": 1, "}": -1}.get(letter, 0)
            assert depth >= 0
            if letter == "," and depth == 0:
                parts.append(part)
                part = ""
            else:
                part += letter
        assert depth == 0
        key, *fields = [*parts, part]
        assert key not in found
        pairs = [field.partition("=")[::2] for field in fields]
        found[key] = {name.strip(): value.strip() for name, value in pairs}
    return found


def test_references_are_these() -> None:
    assert bibtex(index_info(), ["ants", "bees"]) == (GOLDEN / "references.bib").read_text()


def test_only_what_is_in_the_list_is_cited_and_once() -> None:
    entries = read_bibtex(bibtex(index_info(), ["ants", "bees"]))
    assert list(entries) == ["Ants2001", "Packed2024", "AION1", "Douze2024Faiss"]
    assert entries["Ants2001"]["author"] == "{{Ant}, A. and {Bee}, B.}"
    assert entries["Douze2024Faiss"]["eprint"] == "{2401.08281}"
    assert "Ants2001" not in read_bibtex(bibtex(index_info(), ["bees"]))
    assert list(read_bibtex(bibtex(index_info("demo"), ["dreams"]))) == ["Douze2024Faiss"]


@pytest.mark.parametrize("path", sorted(Path("data_manifests").glob("*.toml")), ids=str)
def test_citations_of_the_manifests_are_bibtex(path: Path, tmp_path: Path) -> None:
    from indexer import load_manifest

    for each in load_manifest(path, root=tmp_path).releases:
        entries = dict(bibtex_entries(each.citation))
        assert list(read_bibtex("\n".join(entries.values()))) == list(entries)
        assert each.citation.count("@") == len(entries)


def test_a_citation_with_open_braces_is_refused() -> None:
    with pytest.raises(QueryError, match="the BibTeX entry Ants2001 must close its braces"):
        list(bibtex_entries(ANTS[:-2]))


def test_acknowledgements_are_those_of_the_releases() -> None:
    assert acknowledgements(index_info(), ["ants", "dreams"]) == (
        "Ants DR1 (ants)\nWe thank the ants.\nLicence: CC BY 4.0\nhttps://example.org/ants\n\n"
        "Dreams (dreams)\nSimulated: nothing here was observed, and there is nobody to thank.\n"
    )
    with pytest.raises(QueryError, match="wasps is no release of this index; it has: ants, bees"):
        acknowledgements(index_info(), ["wasps"])


def test_the_releases_of_a_list_are_its_own_and_those_it_was_linked_by() -> None:
    hits = replace(make_hits(), via=np.array(["demo-desi:1", "", "demo-desi:2"]))
    assert releases_of(hits) == ("demo-desi", "demo-sdss")
    assert releases_of(make_hits(0)) == ()


def test_the_command_cites(small_index: Path) -> None:
    info = open_searcher(small_index).index.info
    done = CliRunner().invoke(main, ["cite", str(small_index)])
    assert done.exit_code == 0
    assert done.output == bibtex(info, list(info.releases))
    name = next(iter(info.releases))
    done = CliRunner().invoke(
        main, ["cite", str(small_index), "--release", name, "--acknowledgements"]
    )
    assert done.output == acknowledgements(info, [name])
    done = CliRunner().invoke(main, ["cite", str(small_index), "--release", "wasps"])
    assert done.exit_code != 0
    assert "wasps is no release of this index" in done.output


def test_an_archive_holds_the_list_and_what_the_index_keeps(small_index: Path) -> None:
    searcher = open_searcher(small_index)
    for to, folder, suffix in (("image", "pictures", "png"), ("spectrum", "spectra", "csv")):
        key = next(
            key for key in searcher.random_keys(500, 3) if to in searcher.object(key)["modalities"]
        )
        hits = searcher.search(searcher.query_text(key), SearchOptions(k=4, to=to))
        content = render_archive(searcher, hits)
        assert content == render_archive(searcher, hits)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            kept = [name for name in names if name.startswith(f"{folder}/")]
            previews = [searcher.preview(str(key), to) for key in hits.key]
            assert len(kept) == sum(each is not None for each in previews)
            assert all(name.endswith(f".{suffix}") for name in kept)
            table = Table.read(io.BytesIO(archive.read("neighbours.vot")), format="votable")
            assert list(table["key"]) == list(hits.key)
            assert archive.read("regions.reg") == render_ds9(hits)
            for name, preview in zip(kept, previews, strict=True):
                assert preview is not None
                if to == "image":
                    assert archive.read(name) == preview.png
                else:
                    rows = np.loadtxt(io.BytesIO(archive.read(name)), delimiter=",", skiprows=1)
                    np.testing.assert_array_equal(rows[:, 1].astype("f4"), preview.flux)


def test_names_in_an_archive_are_plain() -> None:
    hits = replace(make_hits(), key=np.array(["demo-sdss:../../etc", "demo-sdss:a/b", "x:ü"]))
    searcher: Any = SimpleNamespace(
        index=SimpleNamespace(
            info=SimpleNamespace(
                encoder=SimpleNamespace(repository="demo"), releases={"demo-sdss": release()}
            )
        ),
        preview=lambda *_: Preview("xp", coefficients=np.arange(110, dtype=np.float32)),
    )
    with zipfile.ZipFile(io.BytesIO(render_archive(searcher, hits))) as archive:
        assert archive.namelist()[-3:] == [
            "coefficients/0001_demo-sdss_.._.._etc.csv",
            "coefficients/0002_demo-sdss_a_b.csv",
            "coefficients/0003_x_.csv",
        ]
        assert archive.read("coefficients/0001_demo-sdss_.._.._etc.csv").startswith(
            b"number,coefficient\n1,0.0\n2,1.0\n"
        )
