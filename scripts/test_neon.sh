#!/usr/bin/env bash
# Builds the core and sparse layers for 64-bit ARM and runs their tests under emulation, those of NEON kernels included.
# Usage: scripts/test_neon.sh [FILTER], where FILTER is a filter of GoogleTest. The default is everything but death
# tests: these start their program again, and the system cannot start a program for another processor.
# For Debian 12. Needs root or sudo only if the cross compiler or the emulator is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

filter="${1:--*DeathTest*}"
build="$PWD/build/neon"
sysroot="$build/sysroot"

missing=()
for package in g++-aarch64-linux-gnu qemu-user-static; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
    missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The libraries are unpacked, not installed. Installed beside the native ones, they would need the very same versions.
if [ ! -e "$sysroot/complete" ]; then
  packages=(
    libhwy-dev:arm64 libhwy1:arm64 libfmt-dev:arm64 libfmt9:arm64 libgtest-dev:arm64 libgmock-dev:arm64
    zlib1g-dev:arm64 zlib1g:arm64 libpcre2-dev:arm64 libpcre2-8-0:arm64 libre2-dev:arm64 libre2-9:arm64
    libprotobuf-dev:arm64 libprotobuf32:arm64
    libeigen3-dev nlohmann-json3-dev libcli11-dev
  )
  rm -rf "$sysroot" "$build/packages"
  mkdir -p "$sysroot" "$build/packages/lists/partial"
  apt=(apt-get -qq -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=
       -o "Dir::State::lists=$build/packages/lists" -o "Dir::Cache=$build/packages")
  "${apt[@]}" update
  (cd "$build/packages" && "${apt[@]}" download "${packages[@]}")
  for package in "$build"/packages/*.deb; do dpkg -x "$package" "$sysroot"; done
  touch "$sysroot/complete"
fi

# -O1: more gains little under emulation, and the compiler takes half the time.
cmake -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" -DSYSROOT="$sysroot" \
  -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1 -DTWOFOUR_WITH_ONEDNN=OFF -DTWOFOUR_WITH_MPI=OFF \
  -DTWOFOUR_BUILD_EXAMPLES=OFF -DTWOFOUR_BUILD_BENCHMARKS=OFF
for layer in core sparse; do
  cmake --build "$build" --target "twofour_${layer}_tests"
  qemu-aarch64-static -L /usr/aarch64-linux-gnu "$build/bin/twofour_${layer}_tests" --gtest_filter="$filter"
done
