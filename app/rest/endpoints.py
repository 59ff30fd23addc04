"""What an endpoint is, and all there are: the one list that serves, checks and describes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from starlette.responses import Response

from app.rest import models
from app.rest.metrics import Metrics

if TYPE_CHECKING:
    from indexer.search import Searcher

__all__ = ["Call", "Endpoint"]


@dataclass(frozen=True, eq=False)
class Call:
    """One request, read and checked.

    Attributes
    ----------
    searcher
        Of the open index.
    path, query, body
        What was asked, as the models of the endpoint have it.
    files
        Name and content of each file.
    accept
        The header.
    root
        What comes before the path of every endpoint.
    metrics
        Where stages are timed.
    """

    searcher: "Searcher"
    path: Any
    query: Any
    body: Any
    files: tuple[tuple[str, bytes], ...]
    accept: str
    root: str
    metrics: Metrics


@dataclass(frozen=True)
class Endpoint:
    """One thing that can be asked.

    Attributes
    ----------
    name
        The operation, unique.
    method, path
        Where; the path as OpenAPI writes it.
    summary
        In words.
    answer
        Answers a call, in a thread; raises an `IndexerError` or a `Refusal`.
    told
        Model of the JSON answer.
    path_model, query
        Models of what the path and the address hold.
    form
        Model of the fields beside the files of a body; None without files.
    json
        Model of a JSON body.
    table
        Whether the answer comes in every format of `indexer.export`.
    refusals
        Further statuses that it answers with, besides those of all.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: Callable[[Call], Response]
    told: type[BaseModel]
    path_model: type[BaseModel] = models.Empty
    query: type[BaseModel] = models.Empty
    form: type[BaseModel] | None = None
    json: type[BaseModel] | None = None
    table: bool = False
    refusals: tuple[int, ...] = ()

    @property
    def gate(self) -> str:
        """Whose turn it waits for."""
        return "encode" if self.form is not None else "search"

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status of a refusal, ascending."""
        common = [400, 422, 429, 500, 503]
        with_body = [408, 413, 415] if self.form is not None or self.json is not None else []
        return tuple(sorted({*common, *with_body, *([406] if self.table else []), *self.refusals}))
