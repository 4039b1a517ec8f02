#!/usr/bin/env bash
# Before a push: format, clang-tidy, then tests plain and under sanitizers. Stops at the first step that fails.
# Usage: scripts/check.sh [--all | --analyze]
#   (none)     clang-tidy with its analyzer on the sources that changed since upstream
#   --all      clang-tidy on every source, without the analyzer
#   --analyze  clang-tidy with its analyzer on every source: several times as long
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}

analyzer=
case "${1:-}" in
  --all) analyzer=,-clang-analyzer-* ;;
  --analyze | "") ;;
  *) sed -n '2,6s/^# \?//p' "$0" >&2; exit 2 ;;
esac

# tidy CHECKS <FILES: the count of warnings in system headers, which are not shown, is left out.
tidy() {
  xargs -r -P "$jobs" -n 1 clang-tidy-19 -p build/tidy --quiet --checks="$1" 2> >(grep -v 'warnings\? generated' >&2)
}

echo "check: format"
git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-19 --dry-run -Werror

echo "check: tidy"
cmake --preset tidy >/dev/null
if [ $# -gt 0 ]; then
  files=$(git ls-files '*.cc')
else
  base=$(git merge-base HEAD "$(git rev-parse --abbrev-ref '@{upstream}' 2>/dev/null || echo HEAD~1)")
  files=$(git diff --name-only --diff-filter=d "$base" -- '*.cc')
fi
tests='_(test|fuzz|bench)\.cc$|^tests/|_main\.cc$'
clean=true
{ grep -Ev "$tests" <<<"$files" || true; } | tidy "$analyzer" || clean=false
# A copy too many does not matter in a test.
{ grep -E "$tests" <<<"$files" || true; } | tidy "-performance-*$analyzer" || clean=false
$clean

for preset in dev asan tsan; do
  echo "check: $preset"
  cmake --preset $preset >/dev/null
  cmake --build --preset $preset -j "$jobs"
  labels=()
  [ $preset = dev ] || labels=(-LE 'system|slow')
  (cd build/$preset && ctest --output-on-failure -j "$jobs" "${labels[@]}")
done
cmake --build --preset dev -j "$jobs" --target all_verify_interface_header_sets
