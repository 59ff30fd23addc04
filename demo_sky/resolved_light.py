"""A source's light at any resolution: spectra of the low-resolution model, with lines resolved."""

import numpy as np

from demo_sky.fine_grid import Window, resample
from demo_sky.grids import INFRARED_PIXELS, Float32Array, milky_way_extinction_mag
from demo_sky.native_instruments import Instrument
from demo_sky.population import Parameters, StarParameters
from demo_sky.sed import Light
from demo_sky.stellar_lines import WINDOWS, line_transmission, mean_correction, move_and_broaden
from demo_sky.stellar_spectra import star_spectrum


class ResolvedLight:
    """Light of one source on windows, each made once for all instruments that look there.

    Parameters
    ----------
    parameters : Parameters
    light : Light
        Of the same source, on the long rest-frame grid.
    spread_km_s : float
        Sigma of a star's lines from rotation and large-scale motions.
    """

    def __init__(self, parameters: Parameters, light: Light, spread_km_s: float) -> None:
        self._parameters = parameters
        self._light = light
        self._spread_km_s = spread_km_s
        self._made: dict[tuple[str, Window], Float32Array] = {}

    def flux(self, instrument: Instrument, shares: dict[str, float] | None = None) -> Float32Array:
        """Flux without noise, 1e-17 erg/s/cm2/A, at the pixels and resolution of an instrument.

        `shares` gives the part of each component's light that is caught; without it, all is.
        """
        total = np.zeros(len(instrument.window), np.float32)
        for name in self._light.components:
            share = 1.0 if shares is None else shares[name]
            if share > 0:
                total += np.float32(share) * self._component(name, instrument.window)
        return np.asarray(instrument.line_spread @ total, np.float32)

    def _component(self, name: str, window: Window) -> Float32Array:
        """Observed flux of a component, all of it, with Milky Way dust."""
        key = (name, window)
        if key not in self._made:
            self._made[key] = self._make(name, window)
        return self._made[key]

    def _make(self, name: str, window: Window) -> Float32Array:
        component = self._light.components[name]
        spectrum = component.rest_spectrum
        star = self._parameters.star
        lines: Float32Array | None = None
        if (
            star is not None
            and self._parameters.object_class != "white_dwarf"
            and window in WINDOWS
        ):
            spectrum, lines = self._resolve(spectrum, star, window)
        observed = resample(spectrum, component.redshift, window)
        if lines is not None:
            observed = observed * lines
        ebv = self._light.ebv_milky_way
        # The law is smooth: at rest-frame steps, then between them.
        coarse = Window(window.first, window.count + 1, 1).log_wavelength
        dust = 10.0 ** (-0.4 * milky_way_extinction_mag(10.0**coarse, ebv))
        position = np.arange(len(window)) / window.oversampling
        return observed * np.interp(position, np.arange(len(coarse)), dust).astype(np.float32)

    def _resolve(
        self, spectrum: Float32Array, star: StarParameters, window: Window
    ) -> tuple[Float32Array, Float32Array]:
        """Take the blends out of a star's spectrum, and make the lines that replace them."""
        atmosphere = (star.temperature_k, star.log_gravity, star.metallicity)
        blended = star_spectrum(*atmosphere, INFRARED_PIXELS)
        smooth = star_spectrum(*atmosphere, INFRARED_PIXELS, without_lines=True)
        transmission = line_transmission(window, *atmosphere)
        inside = slice(window.first, window.first + window.count)
        ratio = blended[inside] / smooth[inside]
        correction = np.ones(INFRARED_PIXELS, np.float32)
        correction[inside] = mean_correction(transmission, ratio, window)
        level = float(spectrum[inside].sum() / blended[inside].sum())
        moved = move_and_broaden(transmission, star.radial_velocity_km_s, self._spread_km_s)
        return smooth * correction * np.float32(level), moved
