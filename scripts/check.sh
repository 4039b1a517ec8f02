#!/usr/bin/env bash
# Before a push: format, tidy on changed files (all with --all), then tests plain and under sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "check: format"
git ls-files '*.h' '*.cc' | xargs clang-format-19 --dry-run -Werror

echo "check: tidy"
cmake --preset tidy >/dev/null
if [ "${1:-}" = --all ]; then
  files=$(git ls-files 'src/*.cc')
else
  base=$(git merge-base HEAD "$(git rev-parse --abbrev-ref '@{upstream}' 2>/dev/null || echo HEAD~1)")
  files=$(git diff --name-only --diff-filter=d "$base" -- 'src/*.cc')
fi
[ -z "$files" ] || echo "$files" | xargs -P "$(nproc)" -n 4 clang-tidy-19 -p build/tidy --quiet

for preset in dev asan tsan; do
  echo "check: $preset"
  cmake --preset $preset >/dev/null
  cmake --build --preset $preset
  labels=()
  [ $preset = dev ] || labels=(-LE 'system|slow')
  (cd build/$preset && ctest --output-on-failure -j "$(nproc)" "${labels[@]}")
done
cmake --build --preset dev --target all_verify_interface_header_sets
