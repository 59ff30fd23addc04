"""A searcher with invented data: the page without an index, an encoder or a build."""

import io
import zlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from indexer import (
    AmbiguousError,
    ClassEstimate,
    Hits,
    NoEstimate,
    NumberEstimate,
    Preview,
    Query,
    QueryError,
    SearchError,
    Understood,
)

MODALITIES = {
    "demo-desi": "spectrum",
    "demo-gaia": "xp",
    "demo-hsc": "image",
    "demo-legacysurvey": "image",
    "demo-sdss": "spectrum",
}
LINK = "https://www.legacysurvey.org/viewer?ra=150&dec=-2"
VERDICT = {
    "level": "in distribution",
    "percentile": 37.24,
    "nearest": "demo-desi:5",
    "score": 0.97,
    "text": "in distribution: …",
}
FACTS = {
    "split": {"cells": {"test": 12}},
    "test": {
        "image_to_spectrum": {"recall_at_10": 0.434, "low": 0.39, "high": 0.478, "queries": 480}
    },
}
BIG_ID = "9223372036854775807"
"""An identifier that JavaScript would round."""


def generator_of(key: str) -> np.random.Generator:
    """Return randomness that belongs to a key."""
    return np.random.default_rng(zlib.crc32(key.encode()))


def invented_preview(key: str) -> Preview:
    """Return a picture, a spectrum or coefficients, always the same for a key."""
    modality = MODALITIES[key.partition(":")[0]]
    rng = generator_of(key)
    if modality == "image":
        pixels = rng.integers(0, 60, (96, 96, 3), dtype=np.uint8)
        pixels[40:56, 40:56] += 150
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        return Preview("image", png=stream.getvalue())
    if modality == "spectrum":
        wavelength = np.linspace(3600.0, 9824.0, 512, dtype=np.float32)
        flux = rng.normal(3.0, 0.3, 512).astype(np.float32)
        return Preview("spectrum", wavelength_angstrom=wavelength, flux=flux)
    return Preview("xp", coefficients=rng.normal(size=110).astype(np.float32))


def invented_hits(query: Query, count: int, modality: str, bridge: str) -> Hits:
    """Return hits of one modality; every fourth has neither redshift nor class."""
    releases = [name for name, kind in MODALITIES.items() if kind == modality]
    rng = generator_of(query.text)
    release = np.array([releases[i % len(releases)] for i in range(count)], dtype=np.str_)
    ids = np.array([str(39627641206279157 + int(rng.integers(10**6))) for _ in range(count)])
    unknown = np.arange(count) % 4 == 3
    return Hits(
        query=query,
        receipt={"verdict": VERDICT, "bridge": bridge, "to": modality},
        key=np.array([f"{a}:{b}" for a, b in zip(release, ids, strict=True)], dtype=np.str_),
        release=release,
        object_id=ids.astype(np.str_),
        rank=np.arange(1, count + 1),
        score=np.linspace(0.98, 0.6, count),
        percentile=np.linspace(99.99, 95.0, count),
        bridge=np.full(count, bridge),
        via=np.full(count, "demo-desi:5" if bridge == "linked" else ""),
        ra_deg=np.full(count, 150.0),
        dec_deg=np.full(count, -2.0),
        redshift=np.where(unknown, np.nan, 0.12),
        magnitude=np.full(count, 18.25),
        object_class=np.where(unknown, "", "GALAXY"),
        modality=np.full(count, modality),
        folded=np.zeros(count, np.int64),
        folded_keys=np.full(count, ""),
        link=np.full(count, LINK),
    )


def invented_understood(size: int = 640, **changes: Any) -> Understood:
    """Return a spectrum of two runs, given back without its noise, some of it ignored."""
    wavelength = np.linspace(4000.0, 8000.0, size)
    wavelength[size // 2 :] += 500.0
    ignored = np.zeros(size, bool)
    ignored[[*range(96, 128), 300]] = True
    flux = 2.0 + generator_of("noise").normal(0.0, 0.1, size)
    flux[[*range(100, 120), 300]] = np.nan
    told = Understood(
        model="the universal spectral tokenizer invented",
        wavelength_angstrom=wavelength,
        flux=flux,
        given_back=np.full(size, 2.0),
        ignored=ignored,
        starts=(0, size // 2),
        chi_square=1.043,
        errors_estimated=False,
    )
    return replace(told, **changes)


def invented_segment() -> SimpleNamespace:
    """Return what is counted of a segment: three objects of one cell, two refused."""
    reasons = ["all pixels are masked", "all pixels are masked", "no redshift"]
    return SimpleNamespace(
        info=SimpleNamespace(placed=3),
        rows=pa.table({"object_class": ["QSO", "GALAXY", ""]}),
        column={"healpix_29": np.array([7, 8, 9])}.__getitem__,
        rejects=pa.table({"reason": reasons, "modality": ["", "", "xp"]}),
    )


class FakeSearcher:
    """Answers like a `Searcher`, and remembers what it was asked.

    Attributes
    ----------
    searched_in, queries
        Space of every search, and what was asked.
    native
        Whether its index has the space `spectrum_native`.
    spectrum_px
        Pixels of an uploaded spectrum.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.searched_in: list[str] = []
        self.queries: list[Query] = []
        self.native = True
        self.spectrum_px = 640
        releases = {
            name: SimpleNamespace(
                title=f"{name}, invented",
                simulated=True,
                indexed=600,
                read=603,
                rejected=3,
                vectors={kind: 600},
                licence="MIT (invented)",
                homepage="",
                acknowledgement="",
                citation="",
                magnitude_band="r",
                links=(),
            )
            for name, kind in MODALITIES.items()
        }
        info = SimpleNamespace(
            index_id="0123456789abcdef",
            manifest=SimpleNamespace(name="demo", title="A simulated sky"),
            created="2026-11-23T00:00:00Z",
            encoder=SimpleNamespace(
                repository="aion-demo", revision="v1", digest="ab" * 8, pooling="learned", dim=192
            ),
            generation=1,
            software="aion-search 0.1.0",
            spaces=dict.fromkeys(["image", "spectrum", "xp"]),
            releases=releases,
            notes=(),
            links=(SimpleNamespace(releases=("demo-desi", "demo-hsc"), count=420),),
        )
        segments = dict.fromkeys(releases, invented_segment())
        self.index = SimpleNamespace(
            info=info,
            heads_facts=FACTS,
            releases=tuple(releases),
            segments=segments,
            segment=segments.__getitem__,
        )
        self.verdict: dict[str, Any] = VERDICT

    def random_keys(self, n: int, seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        names = list(MODALITIES)
        return [f"{names[i % len(names)]}:{rng.integers(10**9, 10**10)}" for i in range(n)]

    def preview(self, key: str, modality: str | None = None) -> Preview | None:
        has = modality in (None, MODALITIES[key.partition(":")[0]])
        return invented_preview(key) if has else None

    def counterparts(self, key: str) -> list[str]:
        return [] if key.startswith("demo-gaia") else ["demo-gaia:44"]

    def object(self, key: str) -> dict[str, Any]:
        links = [{"label": "Legacy viewer", "url": LINK}]
        kind = "QSO" if key.endswith(("1", "2")) else "GALAXY"
        return {"key": key, "magnitude": 18.25, "links": links, "object_class": kind}

    def vector(self, query: Query, modality: str) -> np.ndarray:
        assert modality in query.modalities
        return np.array([0.6, 0.8], np.float32)

    def columns(self) -> dict[str, str]:
        kinds = {"redshift": "number", "magnitude": "number", "redshift_ok": "flag"}
        return {**kinds, "object_class": "text", "seeing": "number"}

    def query_text(self, text: str) -> Query:
        self.asked.append(("text", text))
        if text == "123":
            raise AmbiguousError(
                "123 is an identifier in several releases", ["demo-desi:123", "demo-sdss:123"]
            )
        if text.partition(":")[0] not in MODALITIES:
            raise QueryError(f"nothing in this index is called {text!r}; give release:identifier")
        release = text.partition(":")[0]
        return Query(
            kind="object",
            text=text,
            modality=MODALITIES[release],
            key=text,
            release=release,
            row=0,
            ra_deg=150.0,
            dec_deg=-2.0,
            redshift=0.12,
            object_class="GALAXY",
        )

    def query_upload(self, upload: Any) -> Query:
        self.asked.append(("upload", upload))
        seen = self.native and upload.kind == "spectrum"
        return Query(
            kind=upload.kind,
            text=upload.file_name,
            modality=upload.kind,
            raw_vector=np.ones(4, np.float32),
            native_vector=np.ones(4, np.float32) if seen else None,
            native=SimpleNamespace(flux=np.ones(self.spectrum_px)) if seen else None,
            assumptions={"medium": "vacuum wavelengths, as SDSS writes them"},
            file_name=upload.file_name,
            preview=invented_preview("demo-sdss:1" if upload.kind == "spectrum" else "demo-hsc:1"),
        )

    def spaces(self, query: Query) -> tuple[str, ...]:
        if query.modality != "spectrum":
            return ()
        return ("spectrum", "spectrum_native") if self.native else ("spectrum",)

    def in_space(self, query: Query, space: str) -> Query:
        if space not in self.spaces(query):
            raise SearchError(f"this index has no space {space!r}")
        return replace(
            query,
            space=space if space == "spectrum_native" else "",
            answered=f"answered in {space!r} by an invented model, as you asked",
        )

    def reconstruct(self, query: Query) -> Understood:
        self.asked.append(("reconstruct", query.text))
        if "odd" in query.text:
            raise SearchError("the weights of the tokenizer are gone")
        return invented_understood()

    def search(self, query: Query, options: Any) -> Hits:
        self.asked.append(("search", options))
        to = options.to or query.modality
        if to == "photometry":
            raise SearchError("this index holds no photometry")
        if "nonsense" in options.filters.text:
            raise QueryError("this index has no column 'nonsense'; filters know redshift")
        if query.space and options.bridge == "aligned" and to != query.modality:
            raise SearchError(f"the space {query.space!r} is not aligned with {to}")
        bridge = "same"
        if to != query.modality:
            bridge = "aligned" if options.bridge == "auto" else options.bridge
        self.searched_in.append(query.home)
        self.queries.append(query)
        hits = invented_hits(query, options.k, to, bridge)
        if options.fold_duplicates:
            folded_keys = np.full(len(hits), "demo-sdss:1;demo-sdss:2")
            hits = replace(hits, folded=np.full(len(hits), 2), folded_keys=folded_keys)
        return replace(hits, receipt={**hits.receipt, "verdict": self.verdict})


def invented_number(name: str = "redshift", **changes: Any) -> NumberEstimate:
    """Return a number that five neighbours agree on, more or less."""
    number = NumberEstimate(
        name=name,
        median=0.1234,
        interval_68=(0.1134, 0.1334),
        interval_95=(0.0812, 0.1712),
        calibrated=True,
        effective_number=4.27,
        keys=tuple(f"demo-desi:{i}" for i in range(5)),
        values=np.array([0.11, 0.12, 0.1234, 0.13, 0.16]),
        weights=np.array([0.3, 0.25, 0.2, 0.15, 0.1]),
        coverage=(0.671, 0.948),
    )
    return replace(number, **changes)


def invented_class(name: str = "object_class") -> ClassEstimate:
    """Return a vote that is not unanimous."""
    return ClassEstimate(
        name=name,
        probabilities={"edge_on": 0.7, "QSO": 0.295, "STAR": 0.005},
        right=0.934,
        effective_number=4.27,
        keys=tuple(f"demo-desi:{i}" for i in range(5)),
        values=("edge_on", "edge_on", "edge_on", "QSO", "STAR"),
        weights=np.array([0.3, 0.25, 0.15, 0.295, 0.005]),
    )


NO_MAGNITUDE = NoEstimate(
    "magnitude", "no neighbour with a known magnitude is near enough: the nearest scores 0.412"
)


class FakePropertyReader:
    """Reads like a `PropertyReader`, and remembers whose properties it was asked for."""

    def __init__(self, searcher: Any, labels: Any = None) -> None:
        self.searcher = searcher
        self.labels = labels

    @property
    def names(self) -> tuple[str, ...]:
        return ("redshift", "object_class", "magnitude", *(self.labels or ()))

    def read(self, query: Query, names: Any) -> tuple[Any, ...]:
        self.searcher.asked.append(("properties", query.text))
        known = {"redshift": invented_number(), "object_class": invented_class()}
        known |= {"magnitude": NO_MAGNITUDE, "stellar_mass": invented_number("stellar_mass")}
        return tuple(known[name] for name in names)
