#!/usr/bin/env bash
# Installs the clients that the system tests drive: AWS CLI, boto3, X-Ray and OpenTelemetry SDKs for Python and Node.js.
# Versions are pinned in tests/clients. A client that cannot be had is reported and its tests are skipped by name.
set -uo pipefail
cd "$(dirname "$0")/.."
target=build/clients
mkdir -p "$target"

stamp=$(cat tests/clients/requirements.txt tests/clients/package.json tests/clients/package-lock.json | sha256sum | cut -c1-16)
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
  echo "setup: test clients are present in $target"
  exit 0
fi

complete=1
echo "setup: installing Python clients (AWS CLI, boto3, X-Ray SDK, OpenTelemetry SDK, pytest) into $target/python"
[ -x "$target/python/bin/python" ] || python3 -m venv "$target/python"
if ! "$target/python/bin/pip" install -q --disable-pip-version-check -r tests/clients/requirements.txt; then
  complete=0
  # One missing client must not take the others away.
  while read -r package; do
    "$target/python/bin/pip" install -q --disable-pip-version-check "$package" 2>/dev/null || echo "setup: cannot be had here: $package"
  done <tests/clients/requirements.txt
fi

echo "setup: installing Node.js clients (X-Ray SDK, OpenTelemetry SDK, AWS SDK) into $target/node"
mkdir -p "$target/node"
cp tests/clients/package.json tests/clients/package-lock.json "$target/node/"
if ! (cd "$target/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then
  complete=0
  echo "setup: Node.js clients cannot be had here; their tests will be skipped by name"
fi

[ $complete = 1 ] && echo "$stamp" >"$target/stamp"
exit 0
