"""The description is what is served: golden, and held against answers to whatever it allows."""

import json
import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.rest.answers import ENDPOINTS
from app.rest.models import Problem
from app.rest.openapi import described
from tests.indexer.small_sky import SHARED_ID, key_of

GOLDEN = Path(__file__).resolve().parents[2] / "docs/openapi.json"
HELD = {
    **dict.fromkeys(
        ("object", "key", "also", "not"),
        (key_of("demo-sdss", 3), key_of("demo-legacysurvey", 5), SHARED_ID, "nobody", "a/b"),
    ),
    "position": ("150 0", "150.05 -0.02", "10:00:00 +00:00:00", "nowhere"),
    "where": ("redshift<1", "has(image)", "|b|>20", "moc(", "redshift>2; redshift<1"),
    "release": ("demo-sdss", "demo-hsc", "none"),
}


def test_the_golden_description():
    told = json.dumps(described(), indent=1, ensure_ascii=False) + "\n"
    assert GOLDEN.read_text() == told, (
        "docs/openapi.json is not what is served; if the API is meant to change, write it anew: "
        "python -c 'import json; from app.rest.openapi import described; "
        "print(json.dumps(described(), indent=1, ensure_ascii=False))' > docs/openapi.json"
    )


def test_what_is_served_is_described(api):
    served = api.get("/openapi.json")
    assert served.json() == json.loads(GOLDEN.read_text())
    assert served.json()["openapi"] == "3.1.0"


def test_every_reference_is_there():
    text = json.dumps(described())
    names = {each.partition('"')[0] for each in text.split("#/components/schemas/")[1:]}
    assert names <= set(described()["components"]["schemas"])


def test_parameters_are_those_of_the_models():
    for endpoint in ENDPOINTS:
        operation = described()["paths"][endpoint.path][endpoint.method.lower()]
        named = {each["name"] for each in operation["parameters"]}
        models = (endpoint.path_model, endpoint.query)
        fields = {f.alias or n for model in models for n, f in model.model_fields.items()}
        assert named == fields


def test_the_page_for_people(api):
    answer = api.get("")
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/api/v1/openapi.json"' in answer.text
    assert "http://" not in answer.text.replace("http://testserver", "")
    for endpoint in ENDPOINTS:
        assert endpoint.path in answer.text


def _values(name, schema):
    """Draw what a schema allows, and now and then what it does not."""
    if schema.get("type") == "array":
        return st.lists(_values(name, schema["items"]), max_size=2)
    texts = st.text(alphabet=string.printable + "é\u2212\u0000", min_size=1, max_size=20)
    choices = [st.sampled_from(schema["enum"])] * 3 if "enum" in schema else []
    if name in HELD:
        choices += [st.sampled_from(HELD[name])] * 3
    if schema.get("type") == "integer":
        choices += [st.integers(1, 20).map(str)] * 3
    if schema.get("type") == "number":
        choices += [st.floats(0.1, 500.0).map(str)] * 3
    if schema.get("type") == "boolean":
        choices += [st.sampled_from(("true", "false"))] * 3
    return st.one_of(*choices, texts)


def _requests():
    operations = [
        (path, operations["get"])
        for path, operations in described()["paths"].items()
        if "get" in operations and path not in ("/metrics", "/openapi.json")
    ]

    def of(chosen):
        path, operation = chosen
        drawn = {
            each["name"]: (
                _values(each["name"], each["schema"])
                if each["required"]
                else st.none() | _values(each["name"], each["schema"])
            )
            for each in operation.get("parameters", ())
        }
        return st.tuples(st.just(path), st.just(operation), st.fixed_dictionaries(drawn))

    return st.sampled_from(operations).flatmap(of)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_requests())
def test_whatever_is_asked_is_answered_as_described(api, asked):
    path, operation, values = asked
    if "{key}" in path:
        key = str(values.pop("key"))
        # Clients leave such parts out of a path before they send it.
        assume(key not in (".", ".."))
        path = path.replace("{key}", quote(key, safe=""))
    params = {name: value for name, value in values.items() if value is not None}
    answer = api.get(path, params=params)
    responses = operation["responses"]
    assert str(answer.status_code) in responses, (asked, answer.status_code, answer.text)
    assert answer.status_code < 500, (asked, answer.text)
    media = answer.headers["content-type"].partition(";")[0]
    assert media in responses[str(answer.status_code)]["content"]
    if answer.status_code != 200:
        assert Problem.model_validate(answer.json()).status == answer.status_code
    elif media == "application/json":
        endpoint = next((each for each in ENDPOINTS if each.name == operation["operationId"]), None)
        if endpoint is not None:
            endpoint.told.model_validate(answer.json())


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_nothing_can_be_changed(api, method):
    answer = api.request(method, "/neighbours")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
