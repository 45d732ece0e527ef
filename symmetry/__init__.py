"""Groups, their actions on fields, and tests of equivariance."""

if __name__ != "pdenca.symmetry":
    raise ImportError(f"import this folder as pdenca.symmetry, not as {__name__!r}; usual cure: pip install -e .")
