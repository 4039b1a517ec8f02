#!/usr/bin/env bash
# Installs what building and testing Fluoro needs on Debian 12, and says what it installs. Safe to run twice.
# Usage: scripts/setup.sh build|test|check     (each set includes the ones before it)
set -euo pipefail
cd "$(dirname "$0")/.."

want=${1:-test}
build_packages=(g++-12 cmake ninja-build pkg-config ccache mold make ca-certificates
  libboost1.81-dev libgrpc++-dev libprotobuf-dev protobuf-compiler-grpc protobuf-compiler libssl-dev libsimdjson-dev rapidjson-dev libprotozero-dev
  libzstd-dev liblz4-dev zlib1g-dev libxxhash-dev libjemalloc-dev libre2-dev libsqlite3-dev libspdlog-dev libfmt-dev libcli11-dev
  libtomlplusplus-dev prometheus-cpp-dev)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv python3-pip nodejs npm curl git)
check_packages=(clang-19 libclang-rt-19-dev clang-tidy-19 clang-format-19)

packages=("${build_packages[@]}")
[ "$want" = build ] || packages+=("${test_packages[@]}")
[ "$want" = check ] && packages+=("${check_packages[@]}")

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] && continue
  # A Node.js from another source brings its own npm.
  if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
  missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing Debian packages: ${missing[*]}"
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
echo "setup: $want packages are present"
[ "$want" = build ] || scripts/clients.sh
