"""Well-known strong lines of stars, at their laboratory wavelengths.

Columns: vacuum wavelength (A; NIST Atomic Spectra Database, H band also Shetrone et al. 2015), the
absorber of `line_strengths`, the integral of optical depth over wavelength (A) at the absorber's
reference, and the Lorentz half width at half maximum (A) of the damping wings.
"""

StrongLine = tuple[float, str, float, float]

STRONG_LINES: tuple[StrongLine, ...] = (
    # Hydrogen cores; the wide wings are in `stellar_spectra`.
    (4102.89, "H I", 0.35, 0.20),
    (4341.68, "H I", 0.45, 0.20),
    (4862.68, "H I", 0.75, 0.25),
    (6564.61, "H I", 1.10, 0.30),
    # The lines that `stellar_spectra.SINGLE_LINES` blends.
    (5168.76, "Mg I", 1.60, 0.15),
    (5174.13, "Mg I", 2.60, 0.25),
    (5185.05, "Mg I", 3.20, 0.30),
    (5891.58, "Na I", 2.60, 0.12),
    (5897.56, "Na I", 2.00, 0.10),
    (8500.36, "Ca II", 2.40, 0.15),
    (8544.44, "Ca II", 5.50, 0.30),
    (8664.52, "Ca II", 4.60, 0.28),
    # GALAH's first arm, 4,714 to 4,904 A.
    (4731.35, "Mg I", 0.10, 0.02),
    (4755.37, "Fe I low", 0.26, 0.02),
    (4784.76, "Fe I low", 0.30, 0.02),
    (4824.86, "Fe I low", 0.30, 0.02),
    (4759.45, "Ti I", 0.12, 0.0),
    (4760.60, "Ti I", 0.13, 0.0),
    (4872.68, "Fe I middle", 0.38, 0.03),
    (4892.12, "Fe I middle", 0.30, 0.03),
    (4892.86, "Fe I middle", 0.50, 0.03),
    (4861.10, "Fe I middle", 0.30, 0.03),
    # Second arm, 5,650 to 5,873 A.
    (5684.21, "Na I", 0.22, 0.02),
    (5689.78, "Na I", 0.30, 0.02),
    (5667.13, "Si I", 0.06, 0.0),
    (5692.01, "Si I", 0.07, 0.0),
    (5773.75, "Si I", 0.07, 0.0),
    (5794.68, "Si I", 0.06, 0.0),
    (5710.96, "Fe I high", 0.16, 0.0),
    (5712.67, "Mg I", 0.20, 0.02),
    (5863.98, "Fe I high", 0.14, 0.0),
    (5855.29, "Ti II", 0.14, 0.0),  # Ba II, which behaves like it
    (5859.07, "Ca I", 0.26, 0.02),
    # Third arm, 6,480 to 6,739 A.
    (6495.57, "Ca I", 0.26, 0.02),
    (6496.77, "Fe I middle", 0.32, 0.02),
    (6498.69, "Ti II", 0.22, 0.0),  # Ba II
    (6501.45, "Ca I", 0.16, 0.0),
    (6517.88, "Fe II", 0.08, 0.0),
    (6548.05, "Fe I middle", 0.22, 0.0),
    (6594.73, "Fe I middle", 0.24, 0.0),
    (6719.54, "Ca I", 0.24, 0.02),
    (6723.71, "Si I", 0.06, 0.0),
    # Fourth arm, 7,587 to 7,888 A.
    (7667.01, "Na I", 0.80, 0.05),  # K I, which behaves like it
    (7701.08, "Na I", 0.60, 0.05),
    (7693.67, "Mg I", 0.12, 0.02),
    (7713.84, "Fe II", 0.07, 0.0),
    (7750.41, "Fe I middle", 0.22, 0.0),
    (7774.08, "O I", 0.014, 0.0),
    (7776.31, "O I", 0.012, 0.0),
    (7777.53, "O I", 0.009, 0.0),
    (7782.70, "Fe I high", 0.16, 0.0),
    (7834.35, "Fe I high", 0.16, 0.0),
    # APOGEE, 1.517 to 1.694 um.
    (15167.21, "Na I", 0.35, 0.05),  # K I
    (15172.52, "Na I", 0.40, 0.05),
    (15163.30, "Fe I high", 0.25, 0.0),  # Mn I
    (15221.90, "Fe I high", 0.30, 0.0),  # Mn I
    (15298.74, "Fe I high", 0.65, 0.05),
    (15211.68, "Fe I high", 0.50, 0.05),
    (15625.92, "Fe I high", 0.50, 0.05),
    (15636.22, "Fe I high", 0.50, 0.05),
    (15548.00, "Ti I", 0.25, 0.0),
    (15745.00, "Mg I", 1.10, 0.20),
    (15753.19, "Mg I", 1.50, 0.25),
    (15770.00, "Mg I", 1.60, 0.25),
    (15964.42, "Si I", 0.95, 0.12),
    (16099.18, "Si I", 0.70, 0.10),
    (16685.32, "Si I", 0.80, 0.10),
    (16141.23, "Ca I", 0.28, 0.0),
    (16155.17, "Ca I", 0.30, 0.0),
    (16161.78, "Ca I", 0.28, 0.0),
    (16723.52, "Mg I", 1.10, 0.15),  # Al I, which behaves like it
    (16755.14, "Mg I", 1.50, 0.20),
    (16767.94, "Mg I", 1.10, 0.15),
)
