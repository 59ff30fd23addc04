"""The page: a search box, uploads, and neighbours beside the query.

Imports `indexer` only. `python -m streamlit run app/main.py` from the repository's root starts it.
"""
