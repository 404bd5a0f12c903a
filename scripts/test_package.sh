#!/usr/bin/env bash
# Tries Debian packages (scripts/package.sh) in a bare Debian 12: installs each, trains from it, reads its manual, asks
# for completions, builds the examples by find_package and by pkg-config, and removes it again. Needs root, and a mirror
# of Debian (DEBIAN_MIRROR; debootstrap's own if it is not set). The chroot is made once in build/chroot.
#   scripts/test_package.sh build/package-static/twofour_*.deb build/package-shared/twofour_*.deb
set -euo pipefail

[ "$#" -gt 0 ] || { echo "test_package: got no package, expected some .deb" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "test_package: needs root, to make a chroot" >&2; exit 2; }
root=$(dirname "$0")/../build/chroot
mkdir -p "$root"
root=$(cd "$root" && pwd)
if [ ! -e "$root/etc/debian_version" ]; then
  debootstrap --variant=minbase bookworm "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
fi
# The host's sources of packages, proxies and names count inside, too.
rm -f "$root/etc/apt/sources.list"
cp -rL /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# Minimal images leave out manuals and documents; here they are wanted.
rm -f "$root/etc/dpkg/dpkg.cfg.d/"*
trap 'umount "$root/dev/pts" "$root/proc"' EXIT
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/dev/pts" || mount -t devpts devpts "$root/dev/pts"

for package in "$@"; do
  echo "== $package"
  cp "$package" "$root/tmp/twofour.deb"
  chroot "$root" bash -euo pipefail -s <<'INSIDE'
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
    apt-get update -qq
    # The package alone first: it must run with what it depends on.
    apt-get install -y -qq --no-install-recommends /tmp/twofour.deb >/dev/null
    work=$(mktemp -d) && cd "$work"
    trainer --version
    trainer --config /usr/share/twofour/configs/sparse_mlp.pbtxt | tail -2
    trainer inspect runs/sparse_mlp | tail -3
    trainer export --run runs/sparse_mlp --format packed -o digits.safetensors

    apt-get install -y -qq --no-install-recommends man-db bash-completion zsh g++ cmake make pkg-config >/dev/null
    for page in trainer trainer-export trainer-suggest-decay; do
      man "$page" | col -b >page
      grep -q "^NAME" page
      echo "man $page: $(wc -l <page) lines"
    done
    cat >complete.bash <<'BASH'
      source /usr/share/bash-completion/bash_completion
      source /usr/share/bash-completion/completions/trainer
      complete_words() {  # The words of a command line, of which the last one is completed.
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMPREPLY=()
        _trainer
        echo "$*<Tab>: ${COMPREPLY[*]}"
      }
      complete_words trainer e
      complete_words trainer export --fo
      complete_words trainer export --format sp
      complete_words trainer inspect digits.s
      complete_words trainer sample --run run
      complete_words trainer export --format=pa
      complete_words trainer --sparse --con
      complete_words trainer --prompt '-(' --con
BASH
    bash complete.bash
    cat >complete.zsh <<'ZSH'
      zmodload zsh/zpty
      complete_line() {
        zpty shell zsh -f -i
        zpty -w shell "autoload -U compinit && compinit -u; PS1=; bindkey '^I' complete-word"
        zpty -w -n shell "$1"$'\t'
        sleep 3
        local text all=
        while zpty -r -t shell text; do all+=$text; done
        zpty -d shell
        all=$(print -r -- $all | tail -1 | sed -E 's/\x1b\[[0-9;?]*[a-zA-Z]//g')
        print -r -- "$1<Tab>: ${all##*$'\r'}"
      }
      complete_line "trainer exp"
      complete_line "trainer export --fo"
      complete_line "trainer export --shard"
      complete_line "trainer --sparse --acc"
ZSH
    zsh -f complete.zsh

    cmake -S /usr/share/doc/twofour/examples -B examples -DCMAKE_BUILD_TYPE=Release >/dev/null
    cmake --build examples -j"$(nproc)" >/dev/null
    examples/embed_mlp | tail -3
    examples/own_op
    examples/own_layer layer.safetensors | tail -1
    examples/swap_own_model | tail -1
    examples/prune_own_model
    examples/shrink_model
    examples/own_data_set rings
    examples/packed_inference digits.safetensors
    g++ -std=c++20 /usr/share/doc/twofour/examples/embed_mlp.cc $(pkg-config --cflags --libs twofour-nn twofour-optim) -o by_hand
    ./by_hand | tail -1
    echo "linked to $(ldd by_hand | grep -c libtwofour) shared libraries of twofour"

    dpkg -L twofour | grep -E "twofour|trainer" >installed
    apt-get purge -y -qq twofour >/dev/null
    while read -r file; do
      [ ! -e "$file" ] || { echo "purging left $file"; exit 1; }
    done <installed
    cd /
    rm -rf "$work"
    echo "purged, nothing left"
INSIDE
done
