"""Every path inside an index, as pure functions; `docs/index_format.md` draws the tree.

Paths inside an index are relative POSIX strings, the very strings that `index.json` lists. A
*unit* is what publishing moves as one: the folder of a segment or of a space, one link file, the
table of unclaimed files. A unit that replaces a published one gets a name of its own
(``segments/demo-desi@2``), so that nothing under a published name ever changes.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

__all__ = [
    "INDEX_FILE",
    "LOCK_FILE",
    "UNIT_KINDS",
    "aligned_heads_file",
    "brought_file",
    "build_dir",
    "calibration_file",
    "catalog_dir",
    "encoder_file",
    "generation_of",
    "keys_file",
    "links_unit",
    "map_file",
    "next_dir",
    "next_index_file",
    "numbered",
    "pieces_dir",
    "previews_file",
    "quantizer_facts_file",
    "quantizer_file",
    "redshift_readout_file",
    "rejects_file",
    "rows_file",
    "segment_ann_file",
    "segment_ann_files",
    "segment_drift_file",
    "segment_unit",
    "segment_vectors_file",
    "space_file",
    "space_transform_file",
    "space_unit",
    "spool_dir",
    "staged_dir",
    "staged_partition_dir",
    "unclaimed_unit",
    "unplaced_file",
    "xp_basis_file",
]

INDEX_FILE = "index.json"
LOCK_FILE = "lock"
UNIT_KINDS = ("segments", "spaces", "links")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LONGEST_NAME = 150


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or "--" in name:
        raise ValueError(
            f"a release or space name must match {_NAME.pattern} and hold no '--', got {name!r}"
        )
    return name


def _of_generation(path: str, generation: int, suffix: str = "") -> str:
    return f"{path}{suffix}" if generation == 1 else f"{path}@{generation}{suffix}"


def segment_unit(release: str, generation: int = 1) -> str:
    """Return the folder of a release's segment."""
    return _of_generation(f"segments/{_checked(release)}", generation)


def space_unit(space: str, generation: int = 1) -> str:
    """Return the folder of a space that all segments share."""
    return _of_generation(f"spaces/{_checked(space)}", generation)


def links_unit(release_a: str, release_b: str, generation: int = 1) -> str:
    """Return the file that links two releases, given in alphabetical order."""
    if release_a >= release_b:
        raise ValueError(f"releases must be in alphabetical order: {release_a!r}, {release_b!r}")
    return _of_generation(
        f"links/{_checked(release_a)}--{_checked(release_b)}", generation, ".arrow"
    )


def unclaimed_unit(generation: int = 1) -> str:
    """Return the table of the input files that no release claims."""
    return _of_generation("unclaimed", generation, ".parquet")


def generation_of(unit: str) -> int:
    """Return the generation in the name of a unit: 1 where none is named."""
    found = re.search(r"@(\d+)(?:\.\w+)?$", unit)
    return int(found.group(1)) if found else 1


def units_on_disk(index: Path) -> set[str]:
    """Return every unit that lies in an index, published or left over."""
    found = {
        path.relative_to(index).as_posix()
        for kind in UNIT_KINDS
        for path in (index / kind).glob("*")
    }
    return found | {path.name for path in index.glob("unclaimed*.parquet")}


def rows_file(segment: str) -> str:
    """Return the columns that serving needs, in row order."""
    return f"{segment}/rows.arrow"


def keys_file(segment: str) -> str:
    """Return the object ids, sorted, with their rows."""
    return f"{segment}/keys.arrow"


def catalog_dir(segment: str) -> str:
    """Return the HATS catalogue: every column of every object with a position."""
    return f"{segment}/catalog"


def unplaced_file(segment: str) -> str:
    """Return the same columns of the objects without a position, which HATS cannot hold."""
    return f"{segment}/unplaced.parquet"


def previews_file(segment: str) -> str:
    """Return the pictures and short spectra of a segment."""
    return f"{segment}/previews/previews.arrow"


def rejects_file(segment: str) -> str:
    """Return what was read and not indexed."""
    return f"{segment}/rejects.parquet"


def xp_basis_file(segment: str) -> str:
    """Return what XP coefficients of a segment stand for; only there if the manifest says so."""
    return f"{segment}/xp_basis.npz"


def brought_file(segment: str) -> str:
    """Return what is known of the vectors of a segment that were not made here."""
    return f"{segment}/vectors.json"


def tokens_file(segment: str, key: str) -> str:
    """Return the tokens of a segment under one token key, in row order."""
    return f"{segment}/tokens/{key}.npy"


def tokenizers_file(segment: str) -> str:
    """Return whose the tokens of a segment are; only there if these are kept."""
    return f"{segment}/tokens/tokenizers.json"


def segment_space_dir(segment: str, space: str) -> str:
    """Return where everything of a segment in one space lies."""
    return f"{segment}/spaces/{_checked(space)}"


def segment_vectors_file(segment: str, space: str, modality: str) -> str:
    """Return the vectors of one modality of a segment in one space."""
    return f"{segment_space_dir(segment, space)}/vectors/{_checked(modality)}.npy"


def segment_ann_file(segment: str, space: str, modality: str) -> str:
    """Return the FAISS file over the vectors of `segment_vectors_file`."""
    return f"{segment_space_dir(segment, space)}/{_checked(modality)}.faiss"


def segment_ann_files(
    listed: Iterable[str], segment: str, space: str, modality: str
) -> tuple[str, ...]:
    """Return which listed files hold what `segment_ann_file` is to hold: it, or numbered parts."""
    whole = segment_ann_file(segment, space, modality)
    stem, suffix = whole.rsplit(".", 1)
    parts = {}
    for name in listed:
        found = re.fullmatch(rf"{re.escape(stem)}-(\d+)\.{suffix}", name)
        if found:
            parts[int(found.group(1))] = name
    return tuple(parts[number] for number in sorted(parts)) or (whole,)


def numbered(path: Path, number: int) -> Path:
    """Return one of the files that stand for a FAISS file that would be too large."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def segment_drift_file(segment: str, space: str, modality: str) -> str:
    """Return how vectors of a segment differ from those that its lists were trained on."""
    return f"{segment_space_dir(segment, space)}/{_checked(modality)}.drift.json"


def space_file(space_dir: str) -> str:
    """Return the description of a space."""
    return f"{space_dir}/space.json"


def space_transform_file(space_dir: str) -> str:
    """Return the mean and the projection of a space."""
    return f"{space_dir}/space.safetensors"


def aligned_heads_file(space_dir: str) -> str:
    """Return the heads that project modalities into the space ``shared``."""
    return f"{space_dir}/heads.safetensors"


def encoder_file(space_dir: str) -> str:
    """Return the identity of the encoder of a space whose encoder is not that of the index."""
    return f"{space_dir}/encoder.json"


def quantizer_file(space_dir: str) -> str:
    """Return the trained, empty FAISS index that all shards of a space start from."""
    return f"{space_dir}/quantizer.faiss"


def quantizer_facts_file(space_dir: str) -> str:
    """Return what the quantizer was trained on, and how."""
    return f"{space_dir}/quantizer.json"


def map_file(space_dir: str) -> str:
    """Return where a sample of the objects of a space lie on its map."""
    return f"{space_dir}/map.parquet"


def calibration_file(space_dir: str) -> str:
    """Return the quantiles of the scores of random pairs."""
    return f"{space_dir}/calibration.json"


def redshift_readout_file(space_dir: str) -> str:
    """Return the recalibration of the decoder's redshifts, for the modality of a space."""
    return f"{space_dir}/redshift_readout.json"


def build_dir(index: Path) -> Path:
    """Return where a build works; nothing in it is part of the index."""
    return index / ".build"


def spool_dir(index: Path) -> Path:
    """Return where remote files lie while they are read."""
    return build_dir(index) / "spool"


def next_dir(index: Path) -> Path:
    """Return where the units to be published are gathered."""
    return build_dir(index) / "next"


def pieces_dir(index: Path) -> Path:
    """Return where trained quantizers and pieces of inverted lists wait."""
    return build_dir(index) / "pieces"


def next_index_file(index: Path) -> Path:
    """Return the finished `index.json` of a build that is ready to be published."""
    return build_dir(index) / "next" / INDEX_FILE


def staged_dir(index: Path) -> Path:
    """Return where encoded partitions wait."""
    return build_dir(index) / "staged"


def staged_partition_dir(index: Path, release: str, partition: str) -> Path:
    """Return where one encoded partition waits; any partition name makes a valid folder name."""
    name = quote(partition, safe="=+,. ").replace("%2F", "~")
    if len(name) > _LONGEST_NAME or name.startswith("."):
        digest = hashlib.sha256(partition.encode()).hexdigest()[:12]
        name = f"{name[: _LONGEST_NAME - 30].lstrip('.')}~{digest}"
    return staged_dir(index) / _checked(release) / name
