#!/usr/bin/env bash
# Runs every micro benchmark (Google Benchmark) of a build tree. Usage: bench/micro.sh BUILD_DIR
set -euo pipefail
build=$1
mkdir -p "$build/results"
while IFS= read -r program; do
  name=$(basename "$program")
  echo "== $name"
  "$program" --benchmark_out="$build/results/$name.json" --benchmark_out_format=json
done < <(find "$build/src" -maxdepth 5 -type f -name '*_bench' -perm -u+x | sort)
