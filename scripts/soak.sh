#!/usr/bin/env bash
# `make soak`: power losses, SIGKILLs, faults, bit flips and changed fuzz inputs with new seeds each round, for SOAK_SECONDS (600), after the
# abuse tests at full size and the real samplers. Prints the counts and seeds of each round. Usage: scripts/soak.sh BUILD_DIR. A failing round is repeated by SOAK_SEED=<its seed>.
set -euo pipefail
build=$1
seed=${SOAK_SEED:-$(date +%s)}
end=$(($(date +%s) + ${SOAK_SECONDS:-600}))

echo "soak: abuse tests at full size"
(cd "$build" && FLUORO_SOAK=1 ctest --output-on-failure -R '^system_test_abuse')
echo "soak: real samplers"
scripts/sampler_clients.sh
FLUORO_BINARY=$build/fluoro build/clients/python/bin/python tests/samplers/judge.py
while :; do
  echo "soak: SOAK_SEED=$seed"
  (cd "$build" && FLUORO_SEED=$seed FLUORO_SCALE=4 FLUORO_FUZZ_SECONDS=5 ctest --verbose --output-on-failure -j "${JOBS:-$(nproc)}" -R '_replay$|^(crash|flip|power_loss|kill|sampling)_test$') ||
    { echo "soak: failed with SOAK_SEED=$seed"; exit 1; }
  seed=$((seed + 1))
  [ "$(date +%s)" -lt "$end" ] || break
done
echo "soak: nothing found"
