"""Reference solvers for reaction-diffusion equations."""

if __name__ != "pdenca.solvers":
    raise ImportError(f"import this folder as pdenca.solvers, not as {__name__!r}; usual cure: pip install -e .")
