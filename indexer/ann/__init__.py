"""FAISS files: train, fill, merge, save, map and search. The only package that imports faiss.

FAISS ids are the rows of a segment; survey identifiers never reach FAISS, and its padding never
leaves this package as data: results carry true counts. Settings go with the call, so that one
open index serves any number of threads.

What FAISS 1.15 does in silence, and what guards against it here:

- it takes ids by address, so they stay in a variable until the call returns;
- a wrong dimension raises an empty assertion, so shapes are checked before;
- float64 is accepted and cast, so the type is checked;
- reading can build large precomputed tables, so they are skipped;
- writing prints to the terminal that the end of a file did not fit on the disk, and goes on, so
  files are written through Python;
- on-disk lists prefetch with 32 threads on every search, so files are mapped as plain arrays;
- merging lists made for fast scanning corrupts the heap, so ordinary ones are merged, and the
  result is converted, a few lists at a time where pieces lie on disk;
- every file repeats what is trained, so pieces hold their lists alone;
- lists that grow take up to twice their room, so their size is stated first;
- shards whose codes stand for different values merge without complaint, so these are compared;
- codes are no worse or better for the axes, unless the axes differ in what they carry: product
  codes follow a random rotation. Codes of one bit (RaBitQ) are not used: FAISS does not rotate
  for them.
"""

from indexer.ann.assignment import code_bytes, lists_in, nearest_lists
from indexer.ann.filling import fill, for_serving, load_trained, merge, save, train
from indexer.ann.index import AnnIndex, load
from indexer.ann.kmeans import SEED, shares
from indexer.ann.library import device, faiss, threads
from indexer.ann.pieces import assembled, save_piece
from indexer.ann.recipes import EXACT_UP_TO, Recipe, recipe_for

VERSION: str = faiss.__version__
"""Of FAISS."""

__all__ = [
    "EXACT_UP_TO",
    "SEED",
    "VERSION",
    "AnnIndex",
    "Recipe",
    "assembled",
    "code_bytes",
    "device",
    "fill",
    "for_serving",
    "lists_in",
    "load",
    "load_trained",
    "merge",
    "nearest_lists",
    "recipe_for",
    "save",
    "save_piece",
    "shares",
    "threads",
    "train",
]
