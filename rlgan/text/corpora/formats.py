"""Files that are no plain text, or hold text among something else: said before they are trained on."""

import csv
import json
from pathlib import Path
from typing import IO

from rlgan.errors import DataError

HEAD = 2**16  # bytes that are looked at
LINES = 50  # of them, for the formats of tables
FEWEST_LINES = 3  # of a table: fewer may look like one by chance

# What files of other formats begin with, and what is to be done with one.
MAGIC = {
    b"\x1f\x8b": ("a gzip archive", "unpack it with gunzip"),
    b"PK\x03\x04": ("a zip archive", "unpack it with unzip"),
    b"BZh": ("a bzip2 archive", "unpack it with bunzip2"),
    b"\xfd7zXZ\x00": ("an xz archive", "unpack it with unxz"),
    b"\x28\xb5\x2f\xfd": ("a zstd archive", "unpack it with unzstd"),
    b"%PDF-": ("a PDF", "save its text as plain text"),
    b"\xff\xfe": ("UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
}


def check_format(file: Path, opened: IO[bytes]) -> None:
    """Refuse what is no UTF-8 text for certain.

    Raises:
        DataError: it is an archive, a PDF, UTF-16, or has NUL bytes.
    """
    head = opened.read(HEAD)
    for magic, (what, remedy) in MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"{file} is {what}, not plain text: {remedy}")
    if b"\0" not in head:
        return
    # Of Latin letters in UTF-16 every other byte is 0: the upper one, which stands first or last.
    if max(head[::2].count(0), head[1::2].count(0)) > len(head) / 8:
        order = "LE" if head[1::2].count(0) > head[::2].count(0) else "BE"
        raise DataError(f"{file} is UTF-16 without a byte order mark: convert it: iconv -f UTF-16{order} -t UTF-8")
    raise has_nul(file)


def has_nul(file: Path) -> DataError:
    """The error that a NUL byte is: no text has one."""
    return DataError(f"{file} has NUL bytes, which no text has: give plain text in UTF-8")


def table_format(file: Path) -> str | None:
    """The name of a format of tables that a file seems to have, which would be trained on as words; None for text."""
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    # The last line may be cut short.
    lines = [line for line in head.decode(errors="replace").splitlines()[:LINES] if line.strip()]
    if len(head) == HEAD:
        lines = lines[:-1]
    if len(lines) < FEWEST_LINES:
        return None
    if all(map(_is_object, lines)):
        return "JSON lines"
    if _same_columns([line.split("\t") for line in lines]):
        return "TSV"
    # Behind the commas of sentences there is a space.
    rows = list(csv.reader(lines))
    if _same_columns(rows) and not any(field.startswith(" ") for row in rows for field in row[1:]):
        return "CSV"
    return None


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _same_columns(rows: list[list[str]]) -> bool:
    columns = {len(row) for row in rows}
    return len(columns) == 1 and columns.pop() > 1
