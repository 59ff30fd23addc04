"""The API, ``/api/v1``: a Starlette application to mount beside the pages, at ``/api``.

A request is counted against its client, read and checked by the models of its endpoint, waits for
its turn, and is answered in a thread. See docs/api.md.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from app.rest import metrics as numbers
from app.rest.answers import ENDPOINTS, PREFIX, media_type
from app.rest.endpoints import Call, Endpoint
from app.rest.limits import Gate, Limits, Rate, bounded
from app.rest.openapi import described, page
from app.rest.problems import Refusal, invalid, refusal_of, response_of
from indexer.errors import IndexerError

if TYPE_CHECKING:
    from indexer.search import Searcher

__all__ = ["Limits", "create_api", "mounted"]

AnyRoute = TypeVar("AnyRoute", Mount, Route)

_LOG = logging.getLogger("aion_search.api")
_FIELD_BYTES = 4096
_FIELDS = 16


def create_api(
    open_searcher: "Callable[[], Searcher]",
    limits: Limits | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Return the API.

    Parameters
    ----------
    open_searcher
        Gives the searcher of the index that is served; called for every request, in a thread.
        Raises an `IndexerError` where there is none.
    limits
        What clients are allowed.
    clock
        Seconds that only grow.
    """
    return _Api(open_searcher, limits or Limits(), clock).application()


def mounted(api: Starlette) -> Mount:
    """Return the API as a route of the application that serves the pages, at ``/api``."""
    return _over_lines(Mount("/api", app=api))


def _over_lines(route: AnyRoute) -> AnyRoute:
    """Let a route take paths that hold the end of a line, as identifiers of strangers may.

    Starlette's patterns stop there, and what no route takes is answered in plain text.
    """
    route.path_regex = re.compile(route.path_regex.pattern, re.DOTALL)
    return route


class _Api:
    def __init__(
        self, open_searcher: "Callable[[], Searcher]", limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._open = open_searcher
        self._limits = limits
        self._rate = Rate(limits.per_minute, clock)
        self._metrics = numbers.Metrics()
        self._canaries = numbers.Canaries()
        self._gates = {
            name: Gate(name, at_once, limits.waiting, limits)
            for name, at_once in (("search", limits.searches), ("encode", limits.encodings))
        }
        # Threads of their own: those of the event loop serve the files of the pages. One is for
        # readiness and metrics, which must not wait behind searches.
        self._pool = ThreadPoolExecutor(limits.searches + limits.encodings, "api")
        self._own = ThreadPoolExecutor(1, "api-metrics")

    def application(self) -> Starlette:
        routes = [
            Route(PREFIX, self._page),
            Route(f"{PREFIX}/", self._page),
            Route(f"{PREFIX}/openapi.json", self._description),
            Route(f"{PREFIX}/health", self._health),
            Route(f"{PREFIX}/metrics", self._told_metrics),
        ]
        for endpoint in ENDPOINTS:
            # An identifier may hold a slash.
            path = PREFIX + endpoint.path.replace("{key}", "{key:path}")
            serve = self._ready if endpoint.name == "ready" else self._serve
            route = Route(path, partial(serve, endpoint), methods=[endpoint.method])
            routes.append(_over_lines(route))
        return Starlette(
            routes=routes, exception_handlers={Exception: _failed, 404: _failed, 405: _failed}
        )

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(page(f"{request.scope.get('root_path', '')}{PREFIX}"))

    async def _description(self, _: Request) -> Response:
        return JSONResponse(described())

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def _told_metrics(self, _: Request) -> Response:
        def told() -> str:
            try:
                index = self._open().index
            except IndexerError:
                index = None
            gates = self._gates.values()
            return numbers.exposition(self._metrics, gates, index, self._canaries)

        text = await asyncio.get_running_loop().run_in_executor(self._own, told)
        return PlainTextResponse(text, media_type=numbers.MEDIA_TYPE)

    async def _ready(self, endpoint: Endpoint, request: Request) -> Response:
        async def answered() -> Response:
            _values(endpoint.query, request.query_params.multi_items())
            call = partial(self._answer, endpoint, request, None, None, None, ())
            return await asyncio.get_running_loop().run_in_executor(self._own, call)

        return await self._counted(endpoint, answered)

    async def _serve(self, endpoint: Endpoint, request: Request) -> Response:
        async def answered() -> Response:
            self._rate.take(request.client.host if request.client else "")
            path = _values(endpoint.path_model, request.path_params.items())
            query = _values(endpoint.query, request.query_params.multi_items())
            if endpoint.table and query.format is None:
                # Refused before anything is searched for.
                media_type(request.headers.get("accept", ""))
            body, files = await self._body(endpoint, request)
            call = partial(self._answer, endpoint, request, path, query, body, files)
            return await self._gates[endpoint.gate].run(self._pool, call)

        return await self._counted(endpoint, answered)

    def _answer(
        self,
        endpoint: Endpoint,
        request: Request,
        path: Any,
        query: Any,
        body: Any,
        files: tuple[tuple[str, bytes], ...],
    ) -> Response:
        with self._metrics.stage("open"):
            searcher = self._open()
        accept = request.headers.get("accept", "")
        root = request.scope.get("root_path", "")
        return endpoint.answer(
            Call(searcher, path, query, body, files, accept, root, self._metrics)
        )

    async def _counted(
        self, endpoint: Endpoint, answered: Callable[[], Awaitable[Response]]
    ) -> Response:
        start = time.perf_counter()
        try:
            response = await answered()
        except Exception as error:
            response = _refused(error)
        self._metrics.answered(endpoint.name, response.status_code, time.perf_counter() - start)
        return response

    async def _body(
        self, endpoint: Endpoint, request: Request
    ) -> tuple[Any, tuple[tuple[str, bytes], ...]]:
        """Return the body as its model has it, and the files; both within limits."""
        if endpoint.form is None and endpoint.json is None:
            return None, ()
        wanted = "application/json" if endpoint.json is not None else "multipart/form-data"
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent != wanted:
            raise Refusal(415, "media-type", f"the body must be {wanted}, got {sent or 'nothing'}")
        try:
            async with asyncio.timeout(self._limits.body_s):
                if endpoint.json is not None:
                    content = await bounded(request, self._limits.json_bytes).body()
                    return _checked(endpoint.json.model_validate_json, content), ()
                return await self._form(endpoint, bounded(request, self._limits.file_bytes))
        except TimeoutError:
            raise Refusal(408, "too-slow", "the body did not come in time") from None

    async def _form(
        self, endpoint: Endpoint, request: Request
    ) -> tuple[Any, tuple[tuple[str, bytes], ...]]:
        assert endpoint.form is not None
        async with request.form(
            max_files=self._limits.files, max_fields=_FIELDS, max_part_size=_FIELD_BYTES
        ) as form:
            items = form.multi_items()
            fields = [(name, value) for name, value in items if isinstance(value, str)]
            sent = [(name, value) for name, value in items if isinstance(value, UploadFile)]
            if not sent or any(name != "file" for name, _ in sent):
                named = ", ".join(sorted({name[:40] for name, _ in sent})) or "none"
                raise Refusal(422, "invalid", f"files are sent as fields named file; got {named}")
            files = tuple([(each.filename or "", await each.read()) for _, each in sent])
        return _values(endpoint.form, fields), files


def _values(model: type[BaseModel], pairs: Iterable[tuple[str, Any]]) -> Any:
    """Return what was sent as pairs of names and texts, as a model has it."""
    several = {
        field.alias or name
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is list
    }
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in several:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise Refusal(400, "malformed", f"{name[:40]} is given more than once")
        else:
            values[name] = value
    return _checked(model.model_validate, values)


def _checked(validate: Callable[[Any], Any], values: Any) -> Any:
    try:
        return validate(values)
    except ValidationError as error:
        raise invalid(error) from None


def _refused(error: Exception) -> Response:
    refusal = refusal_of(error)
    if refusal.status == 500 or (refusal.status == 503 and isinstance(error, IndexerError)):
        _LOG.error("a request failed", exc_info=error)
    return response_of(refusal)


async def _failed(_: Request, error: Exception) -> Response:
    return _refused(error)
