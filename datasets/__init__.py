"""Trajectory datasets: HDF5 files that The Well and xarray both read."""

if __name__ != "pdenca.datasets":
    raise ImportError(f"import this folder as pdenca.datasets, not as {__name__!r}; usual cure: pip install -e .")
