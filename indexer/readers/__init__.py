"""Readers: from the files of surveys, and of people, to observations."""

from indexer.readers.partitions import ignored_files, partitions, read_partition
from indexer.readers.records import STANDARD_COLUMNS, Partition, Record, Reject
from indexer.readers.uploads import Upload, read_image_file, read_spectrum_file, read_xp_file

__all__ = [
    "STANDARD_COLUMNS",
    "Partition",
    "Record",
    "Reject",
    "Upload",
    "ignored_files",
    "partitions",
    "read_image_file",
    "read_partition",
    "read_spectrum_file",
    "read_xp_file",
]
