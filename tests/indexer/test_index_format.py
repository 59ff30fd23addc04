"""The page on the format names what is there."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from safetensors.numpy import load_file

from indexer.index_model import MODALITY_BITS, IndexInfo, ReleaseInfo

PAGE = (Path(__file__).parents[2] / "docs" / "index_format.md").read_text()


def test_every_field_of_index_json_is_explained():
    for model in (IndexInfo, ReleaseInfo):
        for field in model.model_fields:
            assert f"`{field}`" in PAGE, field


def test_every_file_of_an_index_is_drawn(fake_index: Path):
    for name in json.loads((fake_index / "index.json").read_text())["files"]:
        path = Path(name)
        drawn = "catalog/" if "catalog" in path.parts else path.name
        if path.parts[0] == "links":
            drawn = "links/<release>--<release>.arrow"
        if path.suffix in (".npy", ".faiss"):
            drawn = f"<modality>{path.suffix}"
        assert drawn in PAGE, name


def test_a_reader_written_from_the_page_alone(fake_index: Path):
    """Find the nearest spectrum of a spectrum with nothing but NumPy and Arrow."""
    index = json.loads((fake_index / "index.json").read_text())
    assert index["format_version"] == 1
    release = index["releases"]["fake-sdss"]
    folder = fake_index / release["directory"]
    with pa.memory_map(str(folder / "rows.arrow")) as source:
        rows = pa.ipc.open_file(source).read_all()
    bit = MODALITY_BITS["spectrum"]
    with_spectrum = np.flatnonzero(rows["modalities"].to_numpy() & bit)
    vectors = np.load(folder / "spaces/shared/vectors/spectrum.npy").astype(np.float32)
    own = np.load(folder / "spaces/spectrum/vectors/spectrum.npy").astype(np.float32)
    assert len(vectors) == len(own) == len(with_spectrum) == release["vectors"]["spectrum"]
    heads = load_file(fake_index / index["spaces"]["shared"]["directory"] / "heads.safetensors")
    projected = (own - heads["spectrum.mean"]) @ heads["spectrum.projection"]
    projected /= np.linalg.norm(projected, axis=1, keepdims=True)
    np.testing.assert_allclose(projected, vectors, atol=2e-3)
    from indexer.index_file import open_index

    segment = open_index(fake_index).segment("fake-sdss")
    scores = own @ own[5]
    _, nearest, _ = segment.ann("spectrum").search(own[5:6], 3)
    np.testing.assert_array_equal(nearest[0], with_spectrum[np.argsort(-scores)[:3]])
