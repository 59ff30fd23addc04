"""A simulated sky of five surveys: pictures, spectra and catalogues of the same sources.

`simulate_source` and `simulate` make sources in memory; `write_sky` writes five releases in the
HDF5 layout of the Multimodal Universe.
"""

from demo_sky.placement import SURVEYS
from demo_sky.sky import Source, simulate, simulate_source
from demo_sky.write import write_sky

__all__ = ["SURVEYS", "Source", "simulate", "simulate_source", "write_sky"]
