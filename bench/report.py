"""Write the tables of bench/README.md again, from the CSV files in bench/results.

    python bench/report.py [--check]

A table stands between ``<!-- table: NAME.csv -->`` and ``<!-- end -->``; what stands there is
replaced. NAME begins with the bench that wrote the file. ``--check`` changes nothing and exits with
1 where a table is not what the CSV says.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import gpu_tables
from speed_table import SHOWN, page

HERE = Path(__file__).parent
LADDER = HERE.parent / "course" / "examples" / "cuda"  # where the ladder's times are kept
TABLE = re.compile(r"(<!-- table: (\S+)\.csv -->\n).*?(<!-- end -->)", re.S)
NOTHING = "Not measured yet."


def filled(text: str, results: Path) -> str:
    """A page with its tables; exits with a message where a table is of no bench."""

    def one(found: re.Match[str]) -> str:
        head, name, tail = found.groups()
        if name in gpu_tables.TABLES:
            path = next((p for p in (results, LADDER) if (p / f"{name}.csv").exists()), None)
            shown = gpu_tables.page(path / f"{name}.csv") if path else NOTHING
            return f"{head}{shown}\n{tail}"
        bench = next((b for b in SHOWN if name.startswith(b)), None)
        if bench is None:
            sys.exit(f"table {name}.csv: want a name that begins with {', '.join(SHOWN)}")
        path = results / f"{name}.csv"
        return f"{head}{page(path, SHOWN[bench]) if path.exists() else NOTHING}\n{tail}"

    return TABLE.sub(one, text)


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--check", action="store_true")
    args = flags.parse_args()
    path = HERE / "README.md"
    old = path.read_text(encoding="utf-8")
    new = filled(old, HERE / "results")
    if args.check and new != old:
        sys.exit(f"{path}: tables differ from the results; run python bench/report.py")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
