#!/usr/bin/env bash
# Installs the missing packages that twofour needs to build and test on Debian 12. Needs root or sudo only if some are
# missing. With --clang, also those that scripts/test_clang.sh and scripts/fuzz.sh need; with --package, those of
# scripts/package.sh; with --mpi, MPI, to train in several processes.
set -euo pipefail

packages=(
  g++ cmake ninja-build clang-format
  libeigen3-dev libprotobuf-dev protobuf-compiler libonnx-dev libgtest-dev libgmock-dev libhwy-dev libdnnl-dev libcli11-dev
  libfmt-dev nlohmann-json3-dev zlib1g-dev libpcre2-dev libre2-dev
  python3  # For tests that read TensorBoard's event files.
  libopenblas-openmp-dev  # For benchmarks. The build with OpenMP threads: see cmake/FindOpenBLAS.cmake.
)
case ${1:-} in
  "") ;;
  --package) packages+=(dpkg-dev file gzip help2man lintian) ;;
  --clang) packages+=(clang libclang-rt-14-dev libomp-dev doxygen) ;;
  --mpi) packages+=(libopenmpi-dev openmpi-bin) ;;
  *) echo "install_dependencies: got '$1', expected --clang, --package, --mpi or nothing" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
    missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install_dependencies: need root or sudo to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
