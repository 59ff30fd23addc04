"""Pictures of sources before the atmosphere: how each component's light is spread.

`component_layers` evaluates a `shapes.Shape` on any pixel grid. Modulated shapes (arms, rings,
clumps) are normalised on one coarse grid of their own, so that surveys agree.
"""

from collections.abc import Callable

import numpy as np

from demo_sky.grids import Float32Array
from demo_sky.profiles import PixelGrid, gaussians, pixel_grid, rotate, sersic, smooth_field
from demo_sky.shapes import Shape

Modulated = Callable[[PixelGrid], Float32Array]


def _normalised(shape: Shape, evaluate: Modulated, grid: PixelGrid) -> Float32Array:
    """Evaluate a shape of any scale and scale it to a total of 1 over its own extent."""
    coarse = pixel_grid(72, 2.0 * shape.extent_arcsec / 72)
    total = float(evaluate(coarse).sum()) * coarse.scale_arcsec**2
    return evaluate(grid) * np.float32(grid.scale_arcsec**2 / total)


def _polar(shape: Shape, grid: PixelGrid) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Along, across (deprojected), and radius in scale lengths."""
    along, across = rotate(
        grid.east_arcsec[None, :], grid.north_arcsec[:, None], shape.position_angle
    )
    scale = np.float32(shape.scale_arcsec)
    along, across = along / scale, across / (scale * np.float32(shape.axis_ratio))
    return along, across, np.sqrt(along**2 + across**2 + np.float32(1e-6))


def _arm_crest(
    shape: Shape,
    along: Float32Array,
    across: Float32Array,
    radius: Float32Array,
    shift: float,
    sharpness: float,
) -> Float32Array:
    """Value 1 on the crest of the arms, falling between them; the shift moves it in phase."""
    angle = np.arctan2(across, along)
    logarithm = np.log(np.maximum(radius, np.float32(0.2)))
    turn = np.float32(shape.winding / np.tan(shape.pitch))
    phase = np.float32(shape.arms) * (angle - turn * logarithm) - np.float32(shape.phase + shift)
    return np.asarray(np.exp(np.float32(sharpness) * (np.cos(phase) - 1)))


def _roughness(shape: Shape, grid: PixelGrid) -> Float32Array:
    surface = smooth_field(grid, shape.texture, 1.1 * shape.extent_arcsec)
    broad = smooth_field(grid, shape.texture[:9, :9], 1.1 * shape.extent_arcsec)
    strength = np.float32(shape.lopsided)
    return np.asarray(np.exp(strength * (np.float32(1.3) * surface + broad)))


def component_layers(
    shape: Shape, components: tuple[str, ...], grid: PixelGrid
) -> dict[str, tuple[Float32Array, Float32Array | None]]:
    """Render components without atmosphere.

    Parameters
    ----------
    shape : Shape
    components : tuple of str
        Names as in `sed.Light.components`.
    grid : PixelGrid

    Returns
    -------
    dict
        Name to (image, dust): the image of unit total flux, and the share of each pixel's light
        that passes through dust lanes (None: none).
    """
    layers: dict[str, tuple[Float32Array, Float32Array | None]] = {}
    dust = _dust_lanes(shape, grid) if shape.dust > 0 and "disk" in components else None
    for name in components:
        if name == "nucleus":
            one = np.ones(1)
            image = gaussians(grid, 0 * one, 0 * one, 0 * one, one)
            layers[name] = (image, None)
        elif name == "bulge":
            layers[name] = (_bulge(shape, grid), dust if shape.kind == "edge_on" else None)
        elif name == "disk":
            layers[name] = (_disk(shape, grid), dust)
        elif name == "knots":
            layers[name] = (_knots(shape, grid), None)
        elif name == "arc":
            layers[name] = (_arc(shape, grid), None)
    return layers


def _bulge(shape: Shape, grid: PixelGrid) -> Float32Array:
    size, index = shape.bulge_half_light_arcsec, shape.bulge_index
    main = sersic(grid, size, index, shape.bulge_axis_ratio, shape.position_angle)
    if shape.companion is None:
        return main
    east, north, ratio, flux, axis_ratio, angle = shape.companion
    second = sersic(grid, size * ratio, index, max(axis_ratio, 0.6), angle, (east, north))
    return main * np.float32(1 - flux) + second * np.float32(flux)


def _disk(shape: Shape, grid: PixelGrid) -> Float32Array:
    if shape.kind in ("elliptical", "lens"):
        return sersic(
            grid, 1.7 * shape.half_light_arcsec, 1.0, shape.axis_ratio, shape.position_angle
        )

    def evaluate(on: PixelGrid) -> Float32Array:
        along, across, radius = _polar(shape, on)
        if shape.kind == "edge_on":
            height = np.abs(across) * np.float32(1.2)
            vertical = 1 / np.cosh(np.minimum(height, np.float32(40))) ** 2
            light = np.exp(-np.sqrt(along**2 + np.float32(0.05))) * vertical
        elif shape.kind == "ring":
            ring = np.exp(-0.5 * ((radius - np.float32(2.25)) / np.float32(0.34)) ** 2)
            light = np.float32(0.35) * np.exp(-radius) + np.float32(0.16) * ring
        else:
            light = np.exp(-radius)
        if shape.kind == "spiral":
            light = light * _spiral_modulation(shape, along, across, radius)
        light = light * np.exp(-((radius / np.float32(6.0)) ** 6))
        return np.asarray(light * _roughness(shape, on))

    main = _normalised(shape, evaluate, grid)
    if shape.companion is None:
        return main
    assert shape.tails is not None
    east, north, ratio, flux, axis_ratio, angle = shape.companion
    second = sersic(grid, shape.half_light_arcsec * ratio, 1.0, axis_ratio, angle, (east, north))
    tails = gaussians(
        grid, shape.tails.east, shape.tails.north, shape.tails.sigma, shape.tails.flux
    )
    tail_flux = 0.26
    body = main * np.float32(1 - flux) + second * np.float32(flux)
    return body * np.float32(1 - tail_flux) + tails * np.float32(tail_flux)


def _spiral_modulation(
    shape: Shape, along: Float32Array, across: Float32Array, radius: Float32Array
) -> Float32Array:
    crest = _arm_crest(shape, along, across, radius, 0.0, 1.6)
    start = np.float32(max(shape.bar, 0.5))
    rise = 1 / (1 + np.exp(-(radius - start) * 5))
    result = 1 + np.float32(shape.arm_strength) * rise * (crest - np.float32(0.35))
    if shape.bar > 0:
        # The bar ends where the arms begin.
        angle = shape.phase / shape.arms + shape.winding * np.log(max(shape.bar, 0.2)) / np.tan(
            shape.pitch
        )
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        length = (along * cosine + across * sine) / np.float32(shape.bar)
        width = (across * cosine - along * sine) / np.float32(0.28 * shape.bar)
        result = result + 2.0 * np.exp(-(length**4) - width**2)
    return np.asarray(np.maximum(result, 0.08))


def _knots(shape: Shape, grid: PixelGrid) -> Float32Array:
    def evaluate(on: PixelGrid) -> Float32Array:
        along, across, radius = _polar(shape, on)
        light = np.exp(-radius / np.float32(1.3))
        if shape.kind == "spiral":
            light = light * _arm_crest(shape, along, across, radius, 0.25, 4.0)
            light = light * (1 - np.exp(-((radius / np.float32(0.8)) ** 2)))
        elif shape.kind == "ring":
            light = np.exp(-0.5 * ((radius - np.float32(2.25)) / np.float32(0.22)) ** 2)
        elif shape.kind == "edge_on":
            light = np.exp(-np.abs(along) / np.float32(1.2) - (across * 2) ** 2)
        return np.asarray(
            light * np.exp(-((radius / np.float32(5.0)) ** 6)) * _roughness(shape, on)
        )

    assert shape.clumps is not None or shape.kind in ("elliptical", "lens")
    smooth = _normalised(shape, evaluate, grid)
    if shape.clumps is None:
        return smooth
    clumps = shape.clumps
    spots = gaussians(grid, clumps.east, clumps.north, clumps.sigma, clumps.flux)
    return smooth * np.float32(0.55) + spots * np.float32(0.45)


def _dust_lanes(shape: Shape, grid: PixelGrid) -> Float32Array:
    along, across, radius = _polar(shape, grid)
    if shape.kind == "edge_on":
        lane = np.exp(-((across / np.float32(0.55)) ** 2)) * np.exp(
            -((along / np.float32(3.2)) ** 4)
        )
        return np.asarray(np.float32(shape.dust) * lane)
    if shape.kind == "merger":
        surface = smooth_field(grid, shape.texture, 0.45 * shape.extent_arcsec)
        return np.asarray(
            np.float32(shape.dust) * np.clip(2.2 * surface, 0, 1) * np.exp(-radius / 2)
        )
    lane = _arm_crest(shape, along, across, radius, -1.0, 5.0)
    return np.asarray(
        np.float32(0.75 * shape.dust) * lane * np.exp(-((radius / np.float32(3)) ** 4))
    )


def _arc(shape: Shape, grid: PixelGrid) -> Float32Array:
    """Images of the background galaxy: every pixel shows the place its light ray comes from."""
    assert shape.lensed is not None
    lensed = shape.lensed

    def evaluate(on: PixelGrid) -> Float32Array:
        east, north = on.east_arcsec[None, :], on.north_arcsec[:, None]
        radius = np.sqrt(east**2 + north**2 + np.float32(1e-4))
        twice = 2 * shape.shear_angle
        first, second = (
            np.float32(shape.shear * np.cos(twice)),
            np.float32(shape.shear * np.sin(twice)),
        )
        pull = 1 - np.float32(shape.einstein_arcsec) / radius
        # Singular isothermal sphere with external shear: beta = theta - alpha(theta).
        source_east = east * pull + first * east - second * north
        source_north = north * pull - second * east - first * north
        light = np.zeros_like(radius)
        for e, n, sigma, flux in zip(
            lensed.east, lensed.north, lensed.sigma, lensed.flux, strict=True
        ):
            squared = (source_east - np.float32(e)) ** 2 + (source_north - np.float32(n)) ** 2
            light += np.float32(flux / sigma**2) * np.exp(
                -0.5 * np.minimum(squared / np.float32(sigma**2), 80)
            )
        return np.asarray(light, np.float32)

    fine = pixel_grid(120, 0.1)
    total = float(evaluate(fine).sum()) * fine.scale_arcsec**2
    return evaluate(grid) * np.float32(grid.scale_arcsec**2 / total)
