"""The description of the API, OpenAPI 3.1, and its page, from what serves and checks it."""

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.rest.answers import ENDPOINTS
from app.rest.endpoints import Endpoint
from app.rest.metrics import MEDIA_TYPE as METRICS
from app.rest.models import Problem, State
from app.rest.problems import MEDIA_TYPE as PROBLEM
from indexer.export import MEDIA_TYPES

__all__ = ["described", "page"]

API_VERSION = "1"
_REFS = "#/components/schemas/{model}"
_STATUSES = {
    400: "The request is malformed.",
    404: "The index has no such object or release.",
    406: "No format that is accepted is written here.",
    408: "The body did not come in time.",
    409: "Several objects are meant; they are in `candidates`.",
    413: "The body is too large.",
    415: "The body is of another kind than this takes.",
    422: "What is asked is not possible; the reason is in `detail`.",
    429: "Too many requests; `Retry-After` says when to come again.",
    500: "A fault of the server.",
    503: "No index, or too many requests at once; `Retry-After` says when to come again.",
}
_WAITING = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


@cache
def described() -> dict[str, Any]:
    """Return the OpenAPI description."""
    told: set[type[BaseModel]] = {Problem, State, *(each.told for each in ENDPOINTS)}
    models: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [
        (model, "serialization") for model in sorted(told, key=lambda each: each.__name__)
    ]
    models += [(each.json, "validation") for each in ENDPOINTS if each.json is not None]
    _, schemas = models_json_schema(models, ref_template=_REFS)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    paths["/health"] = _plain("health", "Whether the server lives.", _json_of(State))
    text = {METRICS.partition(";")[0]: {"schema": {"type": "string"}}}
    paths["/metrics"] = _plain("metrics", "Counts and latencies, as Prometheus reads them.", text)
    paths["/openapi.json"] = _plain(
        "openapi", "This description.", {"application/json": {"schema": {"type": "object"}}}
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Similarity search over astronomical surveys",
            "version": API_VERSION,
            "description": "Neighbours of objects, images, spectra and Gaia coefficients across "
            "surveys and modalities. docs/api.md has examples.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas["$defs"].items()))},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        *_parameters(endpoint.path_model, "path"),
        *_parameters(endpoint.query, "query"),
    ]
    content = _json_of(endpoint.told)
    if endpoint.table:
        text = ("csv", "ecsv", "votable")
        content |= {
            media: {
                "schema": {"type": "string"}
                if name in text
                else {"type": "string", "contentMediaType": media}
            }
            for name, media in MEDIA_TYPES.items()
            if name != "json"
        }
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "The answer.", "content": content},
            **{str(status): _refused(status) for status in endpoint.statuses},
        },
    }
    body = _body(endpoint)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _parameters(model: type[BaseModel], where: str) -> list[dict[str, Any]]:
    schema = model.model_json_schema(ref_template=_REFS)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": where,
            "required": name in required,
            "description": values.pop("description", ""),
            "schema": _bare(values),
        }
        for name, values in schema.get("properties", {}).items()
    ]


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what is written in an address, where nothing is written for None."""
    kept = {name: value for name, value in schema.items() if name != "title"}
    either = [each for each in kept.pop("anyOf", ()) if each != {"type": "null"}]
    if kept.get("default", "") is None:
        kept.pop("default")
    return {**(either[0] if either else {}), **kept}


def _body(endpoint: Endpoint) -> dict[str, Any] | None:
    if endpoint.json is not None:
        return _json_of(endpoint.json)
    if endpoint.form is None:
        return None
    form = endpoint.form.model_json_schema(ref_template=_REFS)
    fields = {name: _bare(values) for name, values in form["properties"].items()}
    files = {
        "type": "array",
        "items": {"type": "string", "contentMediaType": "application/octet-stream"},
        "minItems": 1,
        "description": "The file; several where the layout has several.",
    }
    schema = {
        "type": "object",
        "properties": {"file": files, **fields},
        "required": ["file"],
        "additionalProperties": False,
    }
    return {"multipart/form-data": {"schema": schema}}


def _json_of(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFS.format(model=model.__name__)}}}


def _refused(status: int) -> dict[str, Any]:
    problem = {PROBLEM: {"schema": {"$ref": _REFS.format(model=Problem.__name__)}}}
    waiting = {"headers": _WAITING} if status in (429, 503) else {}
    return {"description": _STATUSES[status], **waiting, "content": problem}


def _plain(name: str, summary: str, content: dict[str, Any]) -> dict[str, Any]:
    responses = {"200": {"description": "The answer.", "content": content}}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


@cache
def page(root: str) -> str:
    """Return a page for people: every operation with its parameters, in plain HTML."""
    description = described()
    parts = []
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts.append(f"<h2><code>{method.upper()} {escape(root + path)}</code></h2>")
            parts.append(f"<p>{escape(operation['summary'])}</p>")
            parts.append(_rows(operation))
    info = description["info"]
    return _PAGE.format(
        title=escape(info["title"]),
        text=escape(info["description"]),
        root=escape(root),
        parts="\n".join(parts),
    )


def _rows(operation: dict[str, Any]) -> str:
    given: Sequence[tuple[str, dict[str, Any]]] = [
        (each["name"], each | each["schema"]) for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if body is not None:
        given = [*given, *body["schema"]["properties"].items()]
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(values.get('description', ''))}"
        f"</td><td>{escape(_default(values))}</td></tr>"
        for name, values in given
    )
    return f"<table>{cells}</table>" if cells else ""


def _default(values: dict[str, Any]) -> str:
    default = values.get("default")
    return "" if default in (None, [], False) else f"default {default}"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}: API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
body {{ padding: 0 1rem }}
h2 {{ font-size: 1.05rem; margin-top: 2rem; overflow-wrap: anywhere }}
td {{ padding: .15rem .8rem .15rem 0; vertical-align: top }}
</style></head><body>
<h1>{title}</h1>
<p>{text} The same for programs: <a href="{root}/openapi.json">openapi.json</a>.</p>
{parts}
</body></html>
"""
