"""`python -m tests.matrix [FAULT …]`: try them all, or these, and write docs/fault-matrix.md (all) or print (these)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.matrix.faults import FAULTS
from tests.matrix.rows import all_rows, markdown, try_faults

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.md"
HEAD = """# Fault matrix

Written by `python -m tests.matrix`: one real court with rehearsal robots for each row. While everybody sends sound and
picture, the fault happens; afterwards the hearing is closed, sealed, exported and verified.

*Sound lost* is time in court for which the record holds no sound of a person, counted in the segments themselves: between them,
and as silence written for what did not come. After the death of `media` most of it is the time that people need to come back, in
which nothing could be sent; *already received* is what the dying process took with it. *Gaps* are the most that one person has of
each cause, of more than two seconds or where a segment is cut. *Lines without text* are counted where captions are listened to.
*Robots stood still*: what they did not send, because the machine that played the hearing was busy with other work; where that is
much, the row shows the machine rather than the fault. A row that is *complete_with_gaps* and lists none has shorter ones from before
its fault: robots whose sound or picture began up to a second after the opening (`joining`, `no_media`).

What each fault is, and how it is done: `tests/matrix/faults.py`. The disk is a small file system of its own that somebody else
writes full to the last byte (a tmpfs in a namespace of the rehearsal; no root is needed, but a machine that allows namespaces).
All of them within one hearing, shorter: `tests/integration/test_fault_matrix.py`, part of `make test`, which prints its table.

"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        if len(sys.argv) > 1:
            for name in sys.argv[1:]:
                print(markdown(try_faults([[FAULTS[name]]], Path(folder) / name.replace(" ", "-"))[0]), flush=True)
            return 0
        rows = all_rows(Path(folder))
    DOCUMENT.write_text(HEAD + markdown(rows) + "\n", encoding="utf-8")
    print(markdown(rows))
    return 0 if all(row.ended and not row.problems for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
