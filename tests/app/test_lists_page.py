"""A list of objects in, neighbours out: on the page, on an index of the small sky."""

import csv
import io

import pytest
from astropy.table import Table

from app import lists
from indexer import QueryError, SearchOptions
from tests.app.page_parts import button, text_of


@pytest.fixture
def lists_page(indexed_page):
    return indexed_page("views/lists.py")


def keys_of(searcher, count):
    return searcher.random_keys(count, 3)


def listed(*identifiers):
    return "\n".join(["key", *identifiers]).encode()


def test_a_list_is_answered_and_what_is_refused_is_named(lists_page, api_searcher):
    keys = keys_of(api_searcher, 6)
    lists_page.file_uploader[0].upload("mine.csv", listed(*keys, "no-such:object"))
    lists_page.run()
    assert not lists_page.exception
    assert "7 identifiers, the first is" in text_of(lists_page)
    button(lists_page, "list_go").click()
    lists_page.run()
    assert not lists_page.exception
    said = lists_page.success[0].value
    assert said.startswith("7 read = 6 answered + 1 refused; ")
    assert "no-such:object" in text_of(lists_page)
    downloads = {each.label for each in lists_page.get("download_button")}
    assert downloads == {"The neighbours", "The refused, with reasons"}
    # Another question forgets the answer.
    lists_page.number_input(key="list_k").set_value(3).run()
    assert not lists_page.success


def test_what_is_no_list_is_refused_in_words(lists_page):
    lists_page.file_uploader[0].upload("mine.csv", b"a,b\n1,2\n")
    lists_page.run()
    assert "name the column of mine.csv that holds the identifiers" in lists_page.error[0].value
    lists_page.text_input(key="list_column").set_value("b").run()
    assert not lists_page.error
    assert "1 identifiers" in text_of(lists_page)


def test_the_files_hold_what_single_searches_find(api_searcher):
    keys = keys_of(api_searcher, 4)
    told = []
    options = SearchOptions(k=3)
    for suffix in lists.FORMATS.values():
        answer = lists.neighbours_of_list(
            api_searcher,
            "mine.csv",
            listed(*keys),
            [*keys, "nothing"],
            lists.ListQuestion(options, suffix, None),
            lambda done, total: told.append((done, total)),
        )
        assert answer.refused == ((5, "nothing", "no object of this index is called 'nothing'"),)
        assert answer.refused_csv.startswith(b"query_number,query_id,reason\n5,nothing,")
        if suffix == "csv":
            rows = list(csv.DictReader(io.StringIO(answer.table.decode())))
        elif suffix == "vot":
            rows = [dict(row) for row in Table.read(io.BytesIO(answer.table), format="votable")]
        else:
            continue
        for key in keys:
            alone = api_searcher.search(api_searcher.query_object(key), options)
            assert [row["key"] for row in rows if row["query_key"] == key] == alone.key.tolist()
    assert told[-1] == (5, 5)


def test_a_long_list_is_sent_to_the_command_line(monkeypatch):
    monkeypatch.setattr(lists, "MOST_OBJECTS", 2)
    with pytest.raises(QueryError, match=r"up to 2 objects, got 3; .*--objects mine\.csv` has no"):
        lists.identifiers_of("../mine.csv", listed("a:1", "a:2", "a:3"))
