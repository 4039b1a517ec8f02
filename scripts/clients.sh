#!/usr/bin/env bash
# Installs the clients that the system tests drive: AWS CLI, boto3, X-Ray and OpenTelemetry SDKs for Python and Node.js; beside them, in
# environments of their own, GenAI libraries and what instruments them. Versions are pinned in tests/clients. A client that cannot be had
# is reported and its tests are skipped by name.
set -uo pipefail
cd "$(dirname "$0")/.."

# install FOLDER TARGET WHAT: FOLDER's requirements.txt, package.json and, where two packages cannot have the same version of a third,
# older.txt, which goes into a folder that stands before the others on PYTHONPATH.
install() {
  local from=$1 to=$2 what=$3 complete=1 stamp
  mkdir -p "$to"
  stamp=$(cat "$from/requirements.txt" "$from/package.json" "$from/package-lock.json" "$from"/older.tx[t] 2>/dev/null | sha256sum | cut -c1-16)
  if [ "$(cat "$to/stamp" 2>/dev/null)" = "$stamp" ]; then
    echo "setup: $what are present in $to"
    return
  fi
  rm -f "$to/stamp"

  echo "setup: installing $what for Python into $to/python"
  [ -x "$to/python/bin/python" ] || python3 -m venv "$to/python"
  if ! "$to/python/bin/pip" install -q --disable-pip-version-check -r "$from/requirements.txt"; then
    complete=0
    # One missing client must not take the others away.
    while read -r package; do
      "$to/python/bin/pip" install -q --disable-pip-version-check "$package" 2>/dev/null || echo "setup: cannot be had here: $package"
    done <"$from/requirements.txt"
  fi
  if [ -f "$from/older.txt" ]; then
    rm -rf "$to/older"
    "$to/python/bin/pip" install -q --disable-pip-version-check --no-deps --target "$to/older" -r "$from/older.txt" || complete=0
  fi

  echo "setup: installing $what for Node.js into $to/node"
  mkdir -p "$to/node"
  cp "$from/package.json" "$from/package-lock.json" "$to/node/"
  if ! (cd "$to/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then
    complete=0
    echo "setup: $what for Node.js cannot be had here; their tests will be skipped by name"
  fi

  [ $complete = 1 ] && echo "$stamp" >"$to/stamp"
}

install tests/clients build/clients "test clients"
install tests/clients/genai build/clients/genai "GenAI libraries"
exit 0
