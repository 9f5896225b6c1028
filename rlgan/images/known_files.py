"""What the files of a directory hold, remembered from run to run: who has not changed is not read again.

Name, size and times decide only whether a file is read; what a data set is, is told by contents.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rlgan.images.files import one_line, read
from rlgan.images.sources import Split, digest

# Files that changed so shortly before they were read may have changed again within the same tick of the clock.
SETTLED = 2_000_000_000  # nanoseconds
QUIET = 5.0  # seconds before, and between, lines that say how far the reading is

Stamp = list[int]  # size, time of the last change of the content, and of anything


class KnownFiles:
    """Reads the files of a directory, but those whose size and times are as they were.

    Args:
        root: what the names lie below.
        index: the folder that keeps what was read; None: nothing is kept.
    """

    def __init__(self, root: Path, index: Path | None) -> None:
        self._root = root
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
        self._file = index / "files" / f"{name}.json" if index is not None else None
        self._known: dict[str, list[object]] = {}  # by name, the stamp and the digest of the content
        self._seen: dict[str, list[object]] = {}

    def __enter__(self) -> "KnownFiles":
        """Load what is known."""
        if self._file is not None:
            # It only saves time: one that is damaged, or another's, is as good as none.
            with suppress(OSError, ValueError):
                known = json.loads(self._file.read_bytes())
                self._known = known if isinstance(known, dict) else {}
        return self

    def digests(self, names: Mapping[Split, Sequence[str]]) -> dict[Split, list[str]]:
        """The digest of each file of each split, as `rlgan.images.sources.digest` has it."""
        total, said, count = sum(map(len, names.values())), time.monotonic(), 0
        digests: dict[Split, list[str]] = {}
        for split, files in names.items():
            digests[split] = []
            for name in files:
                digests[split].append(self._digest(name))
                count += 1
                if time.monotonic() > said + QUIET:
                    said = time.monotonic()
                    # Here is no display of a run to tell: this is also read where none is trained.
                    print(f"reading {one_line(self._root)}: {count:,} of {total:,} files", file=sys.stderr, flush=True)
        return digests

    def _digest(self, name: str) -> str:
        stamp = _stamp(self._root / name)
        known = self._known.get(name)
        if stamp is not None and isinstance(known, list) and known[:1] == [stamp] and len(known) == 2:
            self._seen[name] = known
            return f"{known[1]} {name}"
        content = read(self._root / name)
        found = digest(name, content)
        # Not where it changed just now: it might change again without a trace.
        if stamp is not None and not isinstance(content, OSError) and _is_settled(stamp):
            self._seen[name] = [stamp, found.partition(" ")[0]]
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was read, where it can be kept."""
        if self._file is None or kind is not None or self._seen == self._known:
            return
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # Beside its place and then in it, so that nobody reads half of it.
            written = self._file.with_name(f".{self._file.name}-{os.getpid()}")
            written.write_text(json.dumps(self._seen))
            written.replace(self._file)


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _is_settled(stamp: Stamp) -> bool:
    return max(stamp[1:]) < time.time_ns() - SETTLED
