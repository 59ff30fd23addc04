"""The page: a search box, uploads, and neighbours beside the query; and the API.

Imports `indexer` only. `python -m streamlit run app/asgi.py` from the repository's root starts
both, `app/main.py` in its place the page alone.
"""
