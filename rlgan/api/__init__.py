"""The Python API: what `rlgan train`, `sample` and `evaluate` do, as functions. Its names are those of `rlgan`."""
