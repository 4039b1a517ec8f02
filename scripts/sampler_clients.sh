#!/usr/bin/env bash
# Installs what `make samplers` drives besides the clients of scripts/clients.sh: the X-Ray SDKs for Go and Java, and the X-Ray remote samplers of
# OpenTelemetry for Java, Python and Node.js, into build/clients/samplers. Versions are pinned in tests/samplers. What cannot be had stands in
# build/clients/samplers/skipped, a name and a reason a line; the judge prints it.
set -uo pipefail
cd "$(dirname "$0")/.."
source=$PWD/tests/samplers
target=$PWD/build/clients/samplers
mkdir -p "$target"

stamp=$(cat "$source"/clients/* "$source"/go/* "$source"/java/* "$0" | sha256sum | cut -c1-16)
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
  echo "setup: sampler clients are present in $target"
  exit 0
fi
rm -f "$target/skipped" "$target/stamp"
complete=1

# NAME REASON COMMAND...: what fails is left out, by name.
attempt() {
  local name=$1 reason=$2
  shift 2
  echo "setup: $name"
  "$@" >"$target/$name.log" 2>&1 && return 0
  echo "$name: $reason" | tee -a "$target/skipped"
  complete=0
}

go_driver() { (cd "$source/go" && go build -o "$target/xray-go" .); }
python_sampler() {
  python3 -m venv "$target/python" && "$target/python/bin/pip" install -q --disable-pip-version-check -r "$source/clients/requirements.txt"
}
node_sampler() {
  mkdir -p "$target/node" && cp "$source/clients/package.json" "$source/clients/package-lock.json" "$target/node/" &&
    (cd "$target/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}
# NAME CLASS: the driver and its libraries in one folder.
java_driver() {
  rm -rf "${target:?}/$1" && mkdir -p "$target/$1" &&
    mvn -q -B -f "$source/clients/$1.xml" dependency:copy-dependencies -DoutputDirectory="$target/$1" &&
    javac -d "$target/$1" -cp "$target/$1/*" "$source/java/Schedule.java" "$source/java/$2.java"
}

attempt xray-go "the module could not be fetched or built here" go_driver
attempt xray-java "the artifact could not be fetched or built here" java_driver xray-java XrayJava
attempt otel-java "the artifact could not be fetched or built here" java_driver otel-java OtelJava
attempt otel-python "the package could not be fetched here" python_sampler
attempt otel-node "the package could not be fetched here" node_sampler

# The module of OpenTelemetry's sampler for Go is looked for so that its absence is told, not supposed; it has no driver as long as none could be tried.
if (cd "$target" && GOFLAGS=-mod=mod go mod download go.opentelemetry.io/contrib/samplers/aws/xray@latest) >"$target/otel-go.log" 2>&1; then
  echo "otel-go: can be had here, but has no driver yet" | tee -a "$target/skipped"
else
  echo "otel-go: the module go.opentelemetry.io/contrib/samplers/aws/xray could not be fetched here" | tee -a "$target/skipped"
fi
[ $complete = 1 ] && echo "$stamp" >"$target/stamp"
exit 0
