"""`python -m tests.matrix [FAULT …]`: try them all, or these, and write docs/fault-matrix.md (all) or print (these)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.matrix.rows import all_rows, markdown, try_faults

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.md"
HEAD = """# Fault matrix

Written by `python -m tests.matrix`: one real court with rehearsal robots for each row. While everybody sends sound and
picture, the fault happens; afterwards the hearing is closed, sealed, exported and verified. *Sound lost* is time in court for
which the record holds no sound of a person, be it between segments or as silence written for what did not come: after the
death of `media` most of it is the time that people need to come back, in which nothing could be sent. *Already received* is
what a dying `media` took with it. *Gaps* are the longest of each cause.
What each fault is, and how it is done: `tests/matrix/faults.py`.

"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        if len(sys.argv) > 1:
            print(markdown([try_faults([name], Path(folder) / name.replace(" ", "-"))[0] for name in sys.argv[1:]]))
            return 0
        rows = all_rows(Path(folder))
    DOCUMENT.write_text(HEAD + markdown(rows) + "\n", encoding="utf-8")
    print(markdown(rows))
    return 0 if all(row.ended and not row.problems for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
