#!/bin/sh
# Inside a fresh machine, in the clone: runs commands of README.md exactly as they are printed there.
#   sh readme.sh CLONE first BLOCK         one block, to its end
#   sh readme.sh CLONE beside BLOCK OTHER  the first one runs on; when it has printed its links, the other is run
#                                          "from another terminal", and then the first one is ended
set -eu
cd "$1"
case $2 in
  first) exec sh -e "$3" ;;
  beside)
    sh -e "$3" >/tmp/running 2>&1 &
    running=$!
    until grep -q 'http://127' /tmp/running; do
      kill -0 "$running" 2>/dev/null || { cat /tmp/running; echo "it ended by itself"; exit 1; }
      sleep 0.2
    done
    code=0
    sh -ex "$4" || code=$?
    # The shell that runs the block waits for the program: the program is the one to end.
    for each in /proc/[0-9]*; do
      case $(readlink "$each/exe" 2>/dev/null) in */build/release/botburrow) ended=${each#/proc/}; kill -INT "$ended" 2>/dev/null || true ;; esac
    done
    wait "$running" || code=$?
    cat /tmp/running
    exit "$code"
    ;;
esac
