"""The wing of pictures: all that is particular to them."""
