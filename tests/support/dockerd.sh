#!/bin/sh
# Start a Docker engine for the integration tests unless one answers already. Usage: dockerd.sh [LOG]
#
# For machines and CI jobs where nobody else starts it; needs root. No bridge and no iptables: builds run with
# `--network none`, so neither is needed, and neither is available inside most CI sandboxes.
# AOT_DOCKERD_DRIVER=vfs where the kernel refuses overlay2 on the file system at hand.
set -eu

log=${1:-/tmp/dockerd.log}

if docker version >/dev/null 2>&1; then
    echo "dockerd: already running" >&2
    exit 0
fi
command -v dockerd >/dev/null || { echo "dockerd: not installed (Debian: apt-get install docker.io)" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "dockerd: must be started by root" >&2; exit 1; }

# An engine that was killed leaves its process number behind; another process, or a zombie, may have that number now,
# and then dockerd refuses to start.
pidfile=/var/run/docker.pid
if [ -f "$pidfile" ]; then
    state=$(sed -n 's/^[0-9]* (dockerd) \(.\).*/\1/p' "/proc/$(cat "$pidfile")/stat" 2>/dev/null || :)
    case "$state" in '' | Z | X) rm -f "$pidfile" ;; esac
fi

set -- --bridge=none --iptables=false --ip6tables=false
[ -z "${AOT_DOCKERD_DRIVER:-}" ] || set -- "$@" --storage-driver="$AOT_DOCKERD_DRIVER"
# A session of its own, so that a Ctrl-C in the tests does not stop the engine.
setsid dockerd "$@" >"$log" 2>&1 </dev/null &

tries=0
until docker version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
        echo "dockerd: did not answer within 30 s; the end of $log:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
    sleep 0.5
done
echo "dockerd: started, log in $log" >&2
