"""How good the neighbours of an index are, in numbers that can be compared with published ones.

Every suite goes through the index: its vectors, spaces, FAISS files, bridges and links; exact,
approximate and random answers stand side by side, with bootstrap intervals over queries. What is
computed is in `indexer.evaluate.measures`.
"""
