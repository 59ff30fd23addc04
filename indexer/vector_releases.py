"""What a manifest says of a release whose vectors somebody else made."""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aion_encoder.identity import DeclaredIdentity, Identity, named
from aion_encoder.surveys import SURVEYS
from indexer.native_releases import NAME

__all__ = ["NUMBER", "READER", "STEM", "BroughtVectors"]

READER = "vectors"
"""Name of the reader."""

NUMBER = "{}"
"""In a name of columns, stands for the number of each."""

STEM = "{stem}"
"""In a path, stands for the name of the array's file without its suffix."""

_SUFFIXES = (".parquet", ".npy")


class BroughtVectors(BaseModel):
    """Says where the vectors of a release are, and who is declared to have made them.

    Attributes
    ----------
    modality
        What they are vectors of, and so the name of their space.
    column
        Of Parquet files: the column of lists, one vector in each row; or, with ``{}`` for a
        number, the columns of single numbers, such as ``embedding_{}``, in the order of these.
    table
        Beside ``.npy`` files: the Parquet or CSV table with a row for each row of the array,
        relative to the array's folder; ``{stem}`` stands for the array's name without its suffix.
    comparable
        Whether these vectors compare by cosine as they are, as those of a contrastive model do.
        Default: False, they are whitened or centred, as means of tokens must be.
    encoder
        Who made them. What is not known of it is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    modality: Literal["image", "spectrum", "xp", "photometry"]
    column: str = ""
    table: str = ""
    comparable: bool = False
    encoder: DeclaredIdentity = Field(repr=False)

    @property
    def identity(self) -> Identity:
        """Whose vectors these are."""
        return self.encoder.resolved()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.encoder.vector_dim(self.modality)

    @property
    def compare_as_they_are(self) -> bool:
        """Whether nothing but their length has to be made equal."""
        return self.comparable or self.encoder.comparable(self.modality)

    def check(self, survey: str, files: Sequence[str]) -> None:
        """See that survey and files of the release go with it.

        Raises
        ------
        ValueError
            If AION-1 knows the survey for another modality, it is no short name, or the files
            are of another kind than their column or table says.
        """
        known = SURVEYS.get(survey)
        if known is not None and known.modality != self.modality:
            raise ValueError(
                f"survey {survey!r} gives a {known.modality}, but vectors.modality is "
                f"{self.modality!r}"
            )
        if not re.fullmatch(NAME, survey):
            raise ValueError(
                f"survey must be in lower case, of letters, digits and hyphens, got {survey!r}"
            )
        kinds = {next((end for end in _SUFFIXES if name.endswith(end)), "") for name in files}
        if len(kinds) != 1 or not kinds <= set(_SUFFIXES):
            raise ValueError(
                "files of vectors must all end in .parquet, or all in .npy, got "
                + ", ".join(map(repr, files))
            )
        if kinds == {".parquet"} and (not self.column or self.table):
            raise ValueError(
                "vectors in Parquet files need vectors.column, the name of the column of lists or, "
                f"with {NUMBER}, of the columns of numbers, and no vectors.table"
            )
        if kinds == {".npy"} and (not self.table or self.column):
            raise ValueError(
                "vectors in .npy files need vectors.table, the path of the table of identifiers "
                f"beside each, such as {STEM}.parquet, and no vectors.column"
            )
        if self.column.count(NUMBER) > 1:
            raise ValueError(f"vectors.column may have one {NUMBER}, got {self.column!r}")
        if self.table and not self.table.endswith((".parquet", ".csv")):
            raise ValueError(f"vectors.table must end in .parquet or .csv, got {self.table!r}")
        if self.table.startswith("/") or ".." in self.table.split("/"):
            raise ValueError(f"vectors.table must lie below the array's folder, got {self.table!r}")

    def check_beside(self, own: str, other: str, theirs: "BroughtVectors") -> None:
        """See that vectors of another release, of the same modality, may share a space with these.

        Parameters
        ----------
        own, other
            Names of the two releases.

        Raises
        ------
        ValueError
            If they are of two encoders, or compare in two ways.
        """
        if self.identity.digest != theirs.identity.digest:
            raise ValueError(
                f"the {self.modality} vectors of {own} are of {named(self.identity)}, those of "
                f"{other} of {named(theirs.identity)}: vectors of two encoders cannot be compared, "
                "so index them apart"
            )
        if self.compare_as_they_are != theirs.compare_as_they_are:
            raise ValueError(
                f"vectors.comparable must be the same in {own} and {other}, whose "
                f"{self.modality} vectors share a space"
            )
