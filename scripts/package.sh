#!/usr/bin/env bash
# Makes a Debian package, build/package-static/twofour_*.deb, and has lintian judge it. With the argument `shared`, its
# libraries are shared ones (build/package-shared). DEBEMAIL and DEBFULLNAME name the packager, as for Debian's tools.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-static}
case $kind in
  static | shared) ;;
  *) echo "package: got '$kind', expected static or shared" >&2; exit 2 ;;
esac
scripts/install_dependencies.sh --package
preset=package-$kind
cmake --preset "$preset" ${DEBEMAIL:+"-DCPACK_PACKAGE_CONTACT=${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"} >/dev/null
cmake --build --preset "$preset"
rm -f "build/$preset"/*.deb
(cd "build/$preset" && cpack -G DEB >/dev/null)
ls "$PWD/build/$preset"/*.deb
lintian --fail-on error "build/$preset"/*.deb
