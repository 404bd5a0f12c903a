#!/usr/bin/env bash
# Runs tests of core, sparse and nn as if the processor had AMX, whose instructions are emulated: see
# tests/amx/amx_emulator.cc. Then runs them again as if the system refused AMX, and as if there were no tiles.
# Usage: scripts/test_amx.sh [FILTER], where FILTER is a filter of GoogleTest. The default is what multiplies bf16. Death
# tests are left out, because the emulator writes to standard error.
# Needs a processor with AVX512_BF16, and Debian 12's oneDNN.
set -euo pipefail
cd "$(dirname "$0")/.."

filter="${1:-*Bf16*:*Int8*:*Isa*:*X86*:*Half*:*LinearKernel*:*Processor*:*SemiSparse*:*Precision*:*Peak*:*Vnm*-*Death*}"
if ! grep -q avx512_bf16 /proc/cpuinfo; then
  echo "scripts/test_amx.sh: this processor has no AVX512_BF16, on which AMX builds" >&2
  exit 2
fi
cmake --preset release >/dev/null
cmake --build --preset release --target twofour_core_tests twofour_sparse_tests twofour_nn_tests

# Prints a line for each CPUID and XGETBV of a file, as amx_emulator.cc reads it.
places() {  # FILE NAME
  objdump --disassemble --no-show-raw-insn "$1" | awk -v name="$2" '
    $2 == "cpuid" || $2 == "xgetbv" {
      sub(":", "", $1)
      printf "{\"%s\", 0x%s, %s},\n", name, $1, $2 == "xgetbv" ? "true" : "false"
    }'
}

work="$PWD/build/amx"
mkdir -p "$work"
for layer in core sparse nn; do
  program="build/release/bin/twofour_${layer}_tests"
  library="$(ldd "$program" | awk '/libdnnl/ { print $3 }')"
  { places "$program" ""; places "$(readlink -f "$library")" libdnnl; } >"$work/places.inc"
  c++ -std=c++20 -O2 -mfma -fPIC -shared -Wl,-z,initfirst "-DAMX_EMULATOR_PLACES=\"$work/places.inc\"" \
    tests/amx/amx_emulator.cc -o "$work/amx_emulator.so"
  for refuse in "" REFUSE_AMX=1 NO_PALETTE=1; do
    echo "== $layer tests${refuse:+, $refuse}"
    tests="$filter"
    # Without tiles, oneDNN would use them nevertheless: only what chooses instruction sets can be tested.
    [ "$refuse" = NO_PALETTE=1 ] && tests="*Isa*:*X86*:*Processor*-*Death*"
    env ${refuse:+"$refuse"} LD_PRELOAD="$work/amx_emulator.so" "$program" --gtest_brief=1 \
      --gtest_filter="$tests"
  done
done
