"""The wing of the Gaussian and of mixtures: all that is particular to them."""
