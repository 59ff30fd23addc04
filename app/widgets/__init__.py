"""Controls and panels of the page, one a file. Each draws itself and owns its own state."""
