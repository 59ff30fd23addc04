"""What a person states about an uploaded file, in the place of what it says of itself."""

from dataclasses import dataclass
from typing import Any

from indexer.readers.uploads import bands_of

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """Statements about a file; what is left out is read from it.

    Parameters
    ----------
    survey
        Whose tokens are used.
    pixel_scale, bands, zero_point
        Of an image: arcseconds, such as ``g,r,z``, AB magnitude of one count.
    wavelength_unit, flux_unit, medium
        Of a spectrum: such as ``nm``, ``mJy``, ``air``.
    target_id
        Which object, where a file holds several.
    """

    survey: str | None = None
    pixel_scale: float | None = None
    bands: str = ""
    zero_point: float | None = None
    wavelength_unit: str = ""
    flux_unit: str = ""
    medium: str | None = None
    target_id: str = ""

    @property
    def of_image(self) -> dict[str, Any]:
        """Options of `indexer.read_image_file`."""
        return {
            "survey": self.survey,
            "pixel_scale_arcsec": self.pixel_scale,
            "bands": bands_of(self.bands) if self.bands else None,
            "zero_point": self.zero_point,
        }

    @property
    def of_spectrum(self) -> dict[str, Any]:
        """Options of `indexer.read_spectrum_file`."""
        return {
            "survey": self.survey,
            "wavelength_unit": self.wavelength_unit or None,
            "flux_unit": self.flux_unit or None,
            "medium": self.medium,
            "target_id": self.target_id or None,
        }
