#!/usr/bin/env bash
# Formats all C++ sources in place, new ones included. With --check, it only lists unformatted places, and fails if
# there are any.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=(-i)
[ "${1:-}" = "--check" ] && mode=(--dry-run -Werror)
git ls-files -z --cached --others --exclude-standard '*.h' '*.cc' | xargs -0 clang-format "${mode[@]}"
