"""What the package promises at its door."""

import importlib
import subprocess
import sys

import pytest

import indexer


def test_the_public_names_are_these() -> None:
    assert sorted(indexer.__all__) == sorted(
        [
            "FORMATS",
            "AmbiguousError",
            "BuildError",
            "ClassEstimate",
            "Discordants",
            "Filters",
            "Hits",
            "Index",
            "IndexFormatError",
            "IndexerError",
            "Labels",
            "LockedError",
            "Manifest",
            "ManifestError",
            "NoEstimate",
            "NumberEstimate",
            "Preview",
            "PropertyReader",
            "Query",
            "QueryError",
            "ReadError",
            "SearchError",
            "SearchOptions",
            "Searcher",
            "SeveralObjectsError",
            "Understood",
            "Upload",
            "Verdict",
            "examples_query",
            "find_discordant",
            "load_manifest",
            "open_index",
            "open_searcher",
            "parse_filters",
            "read_image_file",
            "read_labels",
            "read_spectrum_file",
            "read_xp_file",
            "render_hits",
            "write_hits",
        ]
    )
    assert set(indexer.__all__) <= set(dir(indexer))


@pytest.mark.parametrize("name", indexer.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(indexer, name) is not None


def test_there_are_no_others() -> None:
    with pytest.raises(AttributeError, match="module 'indexer' has no attribute 'nothing'"):
        importlib.import_module("indexer").nothing  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import indexer, sys; indexer.Searcher, indexer.SearchOptions, indexer.read_image_file; "
        "import indexer.cli; "
        "print(sorted({'torch', 'faiss', 'aion'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
