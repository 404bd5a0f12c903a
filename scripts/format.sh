#!/usr/bin/env bash
# Formats all C++ sources in place (new ones, too); with --check, only says which are not formatted, and fails if any is.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=(-i)
[ "${1:-}" = "--check" ] && mode=(--dry-run -Werror)
git ls-files -z --cached --others --exclude-standard '*.h' '*.cc' | xargs -0 clang-format "${mode[@]}"
