"""Write the tables and drawings of bench/README.md again, from the CSV files in bench/results.

    python bench/report.py [--check]

A table stands between ``<!-- table: NAME.csv -->`` and ``<!-- end -->``; what stands there is
replaced. NAME begins with the bench that wrote the file; where that bench is drawn, NAME.svg is
written beside it. ``--check`` changes nothing and exits with 1 where a table is not what the CSV
says.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import gpu_tables
import kernel_table
import plots
from speed_table import SHOWN, page

HERE = Path(__file__).parent
LADDER = HERE.parent / "course" / "examples" / "cuda"  # where the ladder's times are kept
TABLE = re.compile(r"(<!-- table: (\S+)\.csv -->\n).*?(<!-- end -->)", re.S)
NOTHING = "Not measured yet."


def filled(text: str, results: Path) -> str:
    """A page with its tables; exits with a message where a table is of no bench."""
    return TABLE.sub(lambda m: f"{m[1]}{shown(m[2], results)}\n{m[3]}", text)


def shown(name: str, results: Path) -> str:
    """What stands for a CSV: its drawing, where there is one, and its table."""
    if name in gpu_tables.TABLES:
        path = next((p for p in (results, LADDER) if (p / f"{name}.csv").exists()), None)
        return gpu_tables.page(path / f"{name}.csv") if path else NOTHING
    bench = next((b for b in (*SHOWN, "kernels") if name.startswith(b)), None)
    if bench is None:
        sys.exit(f"table {name}.csv: want a name that begins with {', '.join(SHOWN)}, kernels")
    path = results / f"{name}.csv"
    if not path.exists():
        return NOTHING
    table = kernel_table.page(path) if bench == "kernels" else page(path, SHOWN[bench])
    if (drawing := results / f"{name}.svg").exists():
        table = f"![{plots.draw(bench, path).alt}](results/{drawing.name})\n\n{table}"
    return table


def drawn(text: str, results: Path) -> None:
    """Writes the drawing of every table that has one."""
    for _, name, _ in TABLE.findall(text):
        bench = next((b for b in plots.DRAWN if name.startswith(b)), None)
        if bench and (path := results / f"{name}.csv").exists():
            plots.draw(bench, path).save(results / f"{name}.svg")


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--check", action="store_true")
    args = flags.parse_args()
    path = HERE / "README.md"
    old = path.read_text(encoding="utf-8")
    if not args.check:
        drawn(old, HERE / "results")
    new = filled(old, HERE / "results")
    if args.check and new != old:
        sys.exit(f"{path}: tables differ from the results; run python bench/report.py")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
