#!/usr/bin/env bash
# Runs every micro benchmark of a build tree, then the whole-program one. Usage: bench/run.sh BUILD_DIR
set -euo pipefail
build=$1
mkdir -p "$build/results"
while IFS= read -r program; do
  name=$(basename "$program")
  echo "== $name"
  "$program" --benchmark_out="$build/results/$name.json" --benchmark_out_format=json
done < <(find "$build/src" -maxdepth 5 -type f -name '*_bench' -perm -u+x | sort)
for what in ingest lookup search graph; do
  echo "== fluoro bench $what"
  "$build/fluoro" bench $what --json >"$build/results/$what.json"
  bench/table.py "$build/results/$what.json"
done
