"""How settings are declared, checked, read from flags and files, compared and shown. Imports neither torch nor ray.

Settings stand beside what they are for, in frozen dataclasses whose annotations say what is allowed (`limits`), which
table a name is from (`choices`), and what the setting was called before (`history`). Groups nest (`groups`).
"""

from rlgan.settings.choices import (
    Choice,
    Table,
    adopt,
    imported_objects,
    is_import,
    is_import_here,
    modules_found_here,
    own_imports,
    resolve,
)
from rlgan.settings.explanations import Metavar, summary
from rlgan.settings.groups import (
    Setting,
    all_settings,
    canonical,
    check,
    check_values,
    declared,
    differences,
    flatten,
    foreign_names,
    updated,
)
from rlgan.settings.history import Added, Was, identity, old_flags, read
from rlgan.settings.limits import (
    AtLeast,
    Below,
    Between,
    Checkpoint,
    Device,
    FigureFormat,
    Matching,
    MoreThan,
    OneOf,
    Preset,
)
from rlgan.settings.paths import (
    FIGURE_ENDINGS,
    TypedPath,
    absolute,
    caption_file,
    check_address,
    check_new,
    new_figure,
    new_picture,
    pasteable,
    printable,
    typed_path,
)

__all__ = [
    "FIGURE_ENDINGS", "Added", "AtLeast", "Below", "Between", "Checkpoint", "Choice", "Device", "FigureFormat",
    "Matching", "Metavar", "MoreThan", "OneOf", "Preset", "Setting", "Table", "TypedPath", "Was", "absolute", "adopt",
    "all_settings", "canonical", "caption_file", "check", "check_address", "check_new", "check_values", "declared",
    "differences", "flatten", "foreign_names", "identity", "imported_objects", "is_import", "is_import_here",
    "modules_found_here",
    "new_figure", "new_picture", "old_flags", "own_imports", "pasteable", "printable", "read", "resolve", "summary",
    "typed_path", "updated",
]  # fmt: skip
