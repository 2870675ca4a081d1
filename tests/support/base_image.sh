#!/bin/sh
# Make the base image for the simulator without a registry: Debian minbase plus python3.
# Usage: base_image.sh [TAG] [CACHE_DIR]; prints the tag on stdout.
#
# debootstrap takes about half a minute, so its result is cached as a tarball. Suite and mirror are those of this
# machine's own apt configuration: a CI with an internal mirror needs no setting here. Needs root (chroot, mknod).
set -eu

tag=${1:-aot-simulator-base:local}
cache=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/aot-tests}

first_source() { # URI and suite of the first "deb" entry, from either format that apt reads
    {
        cat /etc/apt/sources.list 2>/dev/null || :
        cat /etc/apt/sources.list.d/*.list 2>/dev/null || :
    } | sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\)  *\([^ ]*\)  *main.*/\2 \3/p' >"$1"
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] || continue
        awk '/^URIs:/ {uri = $2} /^Suites:/ {suite = $2} /^Components:/ && / main/ {print uri, suite}' "$file" >>"$1"
    done
    # Only a distribution's own archive can be bootstrapped from: the one whose suite is this release's code name.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    awk -v suite="$codename" '$2 == suite {print; exit}' "$1"
}

bootstrap() { # bootstrap TARBALL
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    set -- "$1" $(first_source "$scratch/sources")
    [ $# = 3 ] || { echo "base image: no apt source for this release found" >&2; exit 1; }
    # libpython's "minimal" lacks json; the whole standard library is what the simulator is written against.
    debootstrap --variant=minbase --include=python3 "$3" "$scratch/root" "$2" >&2
    chroot "$scratch/root" python3 -c "import json, hashlib, concurrent.futures, zipfile, importlib.metadata"
    rm -rf "$scratch/root/var/cache/apt" "$scratch/root/var/lib/apt/lists" "$scratch/root/usr/share/doc" \
        "$scratch/root/usr/share/locale" "$scratch/root/usr/share/man"
    tar -C "$scratch/root" -c . >"$1.part"
    mv "$1.part" "$1"
}

if docker image inspect "$tag" >/dev/null 2>&1; then
    echo "$tag"
    exit 0
fi
mkdir -p "$cache"
tarball="$cache/base-$(. /etc/os-release && echo "$VERSION_CODENAME").tar"
[ -s "$tarball" ] || bootstrap "$tarball"
docker import --change 'ENV LANG=C.UTF-8' "$tarball" "$tag" >/dev/null
echo "$tag"
