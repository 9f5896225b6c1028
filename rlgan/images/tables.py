"""Names that the settings of pictures offer, each with the `module:object` that implements it.

The objects are named, not imported, so that the command line lists the names without importing torch or Pillow.
"""

# Data sets that `--data` knows by name: (Request) -> Source, see `rlgan.images.sources`. Other words are directories.
SOURCES: dict[str, str] = {"faces": "rlgan.images.faces.source:open_faces"}

# How the pictures of a directory are split: what lists them, (Path) -> Listing.
SPLITS: dict[str, str] = {
    "partition": "rlgan.images.celeba:find_by_partition",
    "folders": "rlgan.images.folder:find_by_folders",
    "person": "rlgan.images.folder:find_by_person",
    "picture": "rlgan.images.directory:find_by_picture",
    "names": "rlgan.images.directory:find_by_names",
}
# Those that hold out a part by a hash, and not as the data set itself says.
DRAWN_SPLITS = ("person", "picture")
# What runs had before there was a choice; of drawn pictures too, which nobody splits otherwise.
FORMER_SPLIT = "names"

# Filters that resize a picture, members of Pillow's `Resampling`.
FILTERS: dict[str, str] = {
    "lanczos": "PIL.Image:Resampling.LANCZOS",
    "bicubic": "PIL.Image:Resampling.BICUBIC",
    "bilinear": "PIL.Image:Resampling.BILINEAR",
    "box": "PIL.Image:Resampling.BOX",
}

# (ImageSettings) -> the generator and the discriminator.
IMAGE_NETWORKS: dict[str, str] = {
    "maxout": "rlgan.images.players:maxout_pair",
    "convolutional": "rlgan.images.players:convolutional_pair",
}
