"""The answers: each takes a checked call, asks the searcher, and gives a response."""

from typing import Any
from urllib.parse import quote

import numpy as np
from starlette.responses import JSONResponse, Response

from app.rest import models
from app.rest.endpoints import Call, Endpoint
from app.rest.problems import Refusal
from app.table_files import JSON, TABLES
from app.uploaded import written
from indexer import Hits, Query, SearchOptions, Upload, parse_filters, render_hits
from indexer.cone import Around
from indexer.examples import with_examples
from indexer.export import MEDIA_TYPES
from indexer.queries import plain_number
from indexer.readers.uploads import bands_of, read_image_file, read_spectrum_file, read_xp_file

__all__ = ["ENDPOINTS", "PREFIX", "media_type"]

PREFIX = "/v1"
"""Of every path, below what the API is mounted at."""

_SUFFIXES = {kind.form: kind.suffix for kind in (*TABLES, JSON)}
_INTERNAL = ("healpix_29",)
"""Numbers that a script in a browser would round."""

_SINGLE = ("redshift", "magnitude")
"""Columns in single precision."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def media_type(accept: str) -> str:
    """Return the format that a header asks for; JSON where it leaves the choice.

    Raises
    ------
    Refusal
        406, if it asks for others only.
    """
    wanted = []
    for each in (accept or "*/*").split(",")[:50]:
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        wanted.append((weight, kind))
    for weight, kind in sorted(wanted, key=lambda each: -each[0]):
        if not weight > 0.0:
            continue
        if kind in ("*/*", "application/*"):
            return "json"
        for name, media in MEDIA_TYPES.items():
            if kind == media or (kind == "text/*" and name == "csv"):
                return name
    raise Refusal(
        406, "not-acceptable", f"an answer can be {', '.join(MEDIA_TYPES.values())}; or use format="
    )


def _table(call: Call, answer: Hits | Around, name: str) -> Response:
    file_format = call.query.format or media_type(call.accept)
    with call.metrics.stage("render"):
        content = render_hits(answer, file_format)
    headers = {**_HEADERS, "Vary": "Accept"}
    if file_format != "json":
        file_name = f"{name}.{_SUFFIXES[file_format]}"
        headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return Response(content, 200, headers, MEDIA_TYPES[file_format])


def _options(asked: models.FileParams) -> SearchOptions:
    return SearchOptions(
        k=asked.k,
        to=asked.to,
        bridge=asked.bridge,
        releases=tuple(asked.release),
        exclude_source=asked.leave_out_source,
        filters=parse_filters(*asked.where),
        fold_duplicates=asked.fold_duplicates,
    )


def _found(call: Call, query: Query) -> Response:
    with call.metrics.stage("search"):
        hits = call.searcher.search(query, _options(call.query))
    return _table(call, hits, "neighbours")


def _complete(call: Call, first: Query) -> Query:
    """Return the query with the further examples, in the space that was asked for."""
    asked, searcher = call.query, call.searcher
    query = with_examples(
        searcher.query_object, first, asked.also, asked.against, probe=asked.probe
    )
    return query if asked.space is None else searcher.in_space(query, asked.space)


def neighbours(call: Call) -> Response:
    """Answer with what is most similar to an object."""
    asked, searcher = call.query, call.searcher
    with call.metrics.stage("query"):
        if asked.object is not None:
            first = searcher.query_object(asked.object)
        else:
            first = searcher.query_position(asked.position, asked.radius)
        query = _complete(call, first)
    return _found(call, query)


def neighbours_of_image(call: Call) -> Response:
    """Answer with what is most similar to an image."""
    form = call.body
    with call.metrics.stage("read"), written(call.files) as paths:
        upload = read_image_file(
            paths,
            survey=form.survey,
            pixel_scale_arcsec=form.pixel_scale,
            bands=None if form.bands is None else bands_of(form.bands),
            zero_point=form.zero_point,
        )
    return _of_upload(call, upload)


def neighbours_of_spectrum(call: Call) -> Response:
    """Answer with what is most similar to a spectrum."""
    form = call.body
    with call.metrics.stage("read"), written(call.files) as paths:
        upload = read_spectrum_file(
            paths,
            survey=form.survey,
            wavelength_unit=form.wavelength_unit,
            flux_unit=form.flux_unit,
            medium=form.medium,
            target_id=form.target_id,
        )
    return _of_upload(call, upload)


def neighbours_of_xp(call: Call) -> Response:
    """Answer with what is most similar to Gaia BP/RP coefficients."""
    if len(call.files) != 1:
        raise Refusal(422, "file", f"coefficients come in one file, got {len(call.files)}")
    with call.metrics.stage("read"), written(call.files) as paths:
        upload = read_xp_file(paths[0], source_id=call.body.target_id)
    return _of_upload(call, upload)


def _of_upload(call: Call, upload: Upload) -> Response:
    with call.metrics.stage("encode"):
        first = call.searcher.query_upload(upload)
    with call.metrics.stage("query"):
        query = _complete(call, first)
    return _found(call, query)


def neighbours_of_vector(call: Call) -> Response:
    """Answer with what is most similar to a raw vector."""
    with call.metrics.stage("query"):
        vector = np.array(call.body.vector, np.float64)
        query = call.searcher.query_vector(vector, call.body.modality)
    return _found(call, query)


def cone(call: Call) -> Response:
    """Answer with the objects around a position."""
    asked = call.query
    with call.metrics.stage("query"):
        around = call.searcher.cone(asked.position, asked.radius, asked.limit)
    return _table(call, around, "cone")


def one_object(call: Call) -> Response:
    """Answer with what the index knows of an object."""
    searcher = call.searcher
    with call.metrics.stage("query"):
        key = str(searcher.query_object(call.path.key).key)
        known = {
            name: _plain(name, value)
            for name, value in searcher.object(key).items()
            if name not in _INTERNAL
        }
        counterparts = searcher.counterparts(key)
    held = {to for each in searcher.index.info.releases.values() for to in each.vectors}
    address = f"{call.root}{PREFIX}/neighbours?object={quote(key, safe='')}"
    return _json(
        {
            **known,
            "modalities": list(known["modalities"]),
            "counterparts": counterparts,
            "neighbours": [{"to": to, "url": f"{address}&to={to}"} for to in sorted(held)],
        }
    )


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return plain_number(np.float32(value) if name in _SINGLE else value)


def releases(call: Call) -> Response:
    """Answer with what the index holds of each release."""
    names = [name for name in models.ReleaseSays.model_fields if name != "name"]
    told = [
        {"name": name} | each.model_dump(mode="json", include=set(names))
        for name, each in call.searcher.index.info.releases.items()
    ]
    return _json({"index": index_says(call.searcher), "releases": told})


def spaces(call: Call) -> Response:
    """Answer with the spaces of the index."""
    index = call.searcher.index
    told = []
    for name, space in index.info.spaces.items():
        identity = index.encoder_of(name)
        description = None if name == "shared" else index.space(name).description
        told.append(
            {
                "name": name,
                "modalities": list(space.modalities),
                "dim": space.dim,
                "input_dim": None if description is None else description.input_dim,
                "method": "heads" if description is None else description.method,
                "formula": None if description is None else description.formula,
                "encoder": {
                    "digest": identity.digest,
                    "repository": identity.repository,
                    "revision": identity.revision,
                    "pooling": str(identity.pooling),
                },
            }
        )
    return _json({"index": index_says(call.searcher), "spaces": told})


def ready(call: Call) -> Response:
    """Answer that the index is open; without one there is no call."""
    return _json({"status": "ready", "index": index_says(call.searcher)})


def index_says(searcher: Any) -> dict[str, Any]:
    """Return which index answers."""
    info = searcher.index.info
    return {
        "id": info.index_id,
        "name": info.name,
        "created": info.created,
        "format_version": info.format_version,
    }


def _json(content: dict[str, Any]) -> Response:
    return JSONResponse(content, 200, _HEADERS)


_OF_FILE = {"query": models.SearchParams, "told": models.Neighbours, "table": True}

ENDPOINTS = (
    Endpoint(
        "neighbours",
        "GET",
        "/neighbours",
        "What is most similar to an object, or to the object nearest to a position.",
        neighbours,
        models.Neighbours,
        query=models.NeighboursParams,
        table=True,
        refusals=(404, 409),
    ),
    Endpoint(
        "neighbours_of_image",
        "POST",
        "/neighbours/image",
        "What is most similar to an image: one FITS cut-out, or one for each band.",
        neighbours_of_image,
        form=models.ImageForm,
        refusals=(404, 409),
        **_OF_FILE,  # type: ignore[arg-type]
    ),
    Endpoint(
        "neighbours_of_spectrum",
        "POST",
        "/neighbours/spectrum",
        "What is most similar to a spectrum: one file, or one of fluxes and one of errors.",
        neighbours_of_spectrum,
        form=models.SpectrumForm,
        refusals=(404, 409),
        **_OF_FILE,  # type: ignore[arg-type]
    ),
    Endpoint(
        "neighbours_of_xp",
        "POST",
        "/neighbours/xp",
        "What is most similar to a source's Gaia BP/RP coefficients.",
        neighbours_of_xp,
        form=models.XpForm,
        refusals=(404, 409),
        **_OF_FILE,  # type: ignore[arg-type]
    ),
    Endpoint(
        "neighbours_of_vector",
        "POST",
        "/neighbours/vector",
        "What is most similar to a raw vector, which whoever asks says is of the index's encoder.",
        neighbours_of_vector,
        models.Neighbours,
        query=models.FileParams,
        json=models.VectorBody,
        table=True,
    ),
    Endpoint(
        "cone",
        "GET",
        "/cone",
        "The objects around a position, nearest first.",
        cone,
        models.Cone,
        query=models.ConeParams,
        table=True,
    ),
    Endpoint(
        "object",
        "GET",
        "/objects/{key}",
        "What the index knows of an object, with its pages elsewhere, the other objects of its "
        "source, and where its neighbours are.",
        one_object,
        models.ObjectSays,
        path_model=models.ObjectKey,
        refusals=(404, 409),
    ),
    Endpoint(
        "releases",
        "GET",
        "/releases",
        "What the index holds of each release, with licence and citation.",
        releases,
        models.Releases,
    ),
    Endpoint(
        "spaces",
        "GET",
        "/spaces",
        "Where things are compared, and by which encoder.",
        spaces,
        models.Spaces,
    ),
    Endpoint(
        "ready",
        "GET",
        "/ready",
        "Whether the index is open and can be asked.",
        ready,
        models.State,
    ),
)
"""Everything that asks the index."""
