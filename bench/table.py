#!/usr/bin/env python3
"""Prints the JSON lines of `fluoro bench ... --json` as a table. Usage: bench/table.py FILE"""
import json
import sys

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
cells = [[key for key in rows[0]]] + [[f"{v:,.2f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
for row in cells:
    print("  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))))
