"""What goes wrong, as problem documents (RFC 9457): one line for a person, never a trace."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from indexer.errors import (
    AmbiguousError,
    IndexerError,
    IndexFormatError,
    QueryError,
    ReadError,
    SearchError,
    SeveralObjectsError,
    UnknownObjectError,
)

__all__ = ["MEDIA_TYPE", "Refusal", "invalid", "refusal_of", "response_of"]

MEDIA_TYPE = "application/problem+json"
_SHOWN = 500
"""Characters of a message that are told: it may quote what was sent."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A request that gets no answer but a reason.

    Parameters
    ----------
    status
        Of HTTP.
    kind
        Last part of the problem's `type`.
    detail
        One line.
    more
        Further members of the document.
    retry_after_s
        When to come again.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        more: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.more = dict(more or {})
        self.retry_after_s = retry_after_s


def refusal_of(error: Exception) -> Refusal:
    """Return what is told of an error; of those that are not ours nothing but that they were."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        kind = {404: "no-such-page", 405: "method"}.get(error.status_code, "malformed")
        return Refusal(error.status_code, kind, str(error.detail))
    if isinstance(error, IndexFormatError):
        # Its message names folders of the server.
        return Refusal(503, "no-index", "there is no index that can be served", None, 10)
    detail = " ".join(str(error).split())
    if isinstance(error, (AmbiguousError, SeveralObjectsError)):
        kind = "ambiguous" if isinstance(error, AmbiguousError) else "several-objects"
        return Refusal(409, kind, detail, {"candidates": list(error.candidates)})
    for of, status, kind in (
        (UnknownObjectError, 404, "unknown-object"),
        (QueryError, 422, "query"),
        (ReadError, 422, "file"),
        (SearchError, 422, "cannot-answer"),
    ):
        if isinstance(error, of):
            return Refusal(status, kind, detail)
    if isinstance(error, IndexerError):
        return Refusal(503, "unavailable", "the index cannot answer at the moment", None, 10)
    return Refusal(500, "fault", "the server failed at this; its log says why")


def invalid(error: ValidationError) -> Refusal:
    """Return what a model has to say of values that were sent."""
    errors = [
        {
            "where": ".".join(str(part) for part in each["loc"]) or "request",
            "message": _words(each["msg"], each["type"]),
        }
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    if any(each["type"] == "json_invalid" for each in error.errors(include_url=False)):
        return Refusal(400, "malformed", "the body must be JSON", {"errors": errors})
    first = errors[0]
    told = "" if first["where"] == "request" else f"{first['where']}: "
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Refusal(422, "invalid", f"{told}{first['message']}{more}", {"errors": errors[:20]})


def _words(message: str, kind: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such parameter here; /api/v1/openapi.json lists them"
    return message.removeprefix("Value error, ")


def response_of(refusal: Refusal) -> JSONResponse:
    """Return the answer of HTTP."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # The rest of what is being sent is not read.
        headers["Connection"] = "close"
    document = {
        "type": f"urn:aion-search:{refusal.kind}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": _shortened(refusal.detail),
        **{
            name: _shortened_list(value) if isinstance(value, list) else value
            for name, value in refusal.more.items()
        },
    }
    return JSONResponse(document, refusal.status, headers, MEDIA_TYPE)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _shortened_list(values: Sequence[Any]) -> list[Any]:
    return list(values[:100])
