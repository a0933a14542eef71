# shellcheck shell=sh
# What ./dev test-fresh and ./dev test-image share: a Debian 12 in a folder, and running commands in it.

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/.cache/fresh
suite=bookworm
child=

say() { printf '%s\n' "$*" >&2; }
die() { say "$label: $*"; exit 1; }

# The Debian packages that these tests themselves want, beside those of packages.txt.
need_packages() {
  missing=
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "$label: installing$missing"
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 || die "apt-get could not install:$missing"
}

# begin LABEL: root, a folder of this run, and its end in every case.
begin() {
  label=$1
  [ "$(id -u)" = 0 ] || die "needs root, for it mounts; call it with sudo"
  command -v dpkg-query >/dev/null 2>&1 || die "needs Debian"
  work=$root/build/$label
  mkdir -p "$cache" "$root/build"
  exec 9>"$cache/$label.lock"
  flock -n 9 || die "another run is under way (it holds $cache/$label.lock)"
  remove_tree "$work"
  mkdir -p "$work/logs"
  begun=$(date +%s)
  exec 3>&2
  trap 'ended $?' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# Never follows a mount: what a run mounts, it mounts in a namespace of its own.
remove_tree() { rm -rf --one-file-system "$1"; }

ended() {
  trap - EXIT
  if [ -n "$child" ]; then
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  # Tools that mount by themselves did it below here, in this script's own namespace.
  awk -v below="$work/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r each; do umount "$each"; done
  if [ "$keep" = yes ]; then
    say "$label: kept $work"
  else
    for each in "$work"/*; do
      case $each in */logs) [ "$1" = 0 ] || continue ;; esac
      remove_tree "$each"
    done
    rmdir --ignore-fail-on-non-empty "$work" 2>/dev/null || true
  fi
  if grep -q " $work" /proc/self/mountinfo; then
    say "$label: mounts are left below $work"
    exit 1
  fi
  exit "$1"
}

# bounded SECONDS COMMAND: ended, with all that it started, when the time is over or this shell is gone.
bounded() {
  limit=$1
  shift
  setpriv --pdeathsig KILL timeout --foreground --signal=KILL "$limit" "$@" 9>&-
}

# step SECONDS NAME COMMAND: one line, with how long it took. What it printed is shown when it fails. The command runs
# in a shell of its own, where -e holds (it does not within a condition) and whose death ends all that it started.
step() {
  limit=$1 step=$2
  shift 2
  log=$work/logs/$(printf %s "$step" | tr -c 'A-Za-z0-9.\n' '-').log
  since=$(date +%s)
  (
    set -e
    "$@"
  ) >"$log" 2>&1 </dev/null &
  child=$!
  code=0
  wait "$child" || code=$?
  child=
  took=$(($(date +%s) - since))
  if [ "$code" = 0 ]; then
    printf '%s: %-62s %5d s\n' "$label" "$step" "$took" >&2
    return 0
  fi
  tail -n 40 "$log" >&2
  [ "$code" != 137 ] || say "$label: not within $limit s"
  die "failed ($code) after $took s: $step; all of it: $log"
}

# enter ROOT [--bind FROM TO]… [--loopback] -- COMMAND: within $limit seconds, in namespaces of its own.
enter() {
  network=
  for word; do
    case $word in --loopback) network=--net ;; --) break ;; esac
  done
  # shellcheck disable=SC2086
  bounded "$limit" setpriv --pdeathsig KILL \
    unshare --mount --pid --uts --ipc $network --fork --kill-child=KILL --propagation private sh "$root/tests/fresh/enter.sh" "$@"
}

# The base: debootstrap once, then an archive of it. Whoever wants a new one deletes the archive.
base_archive() {
  architecture=$(dpkg --print-architecture)
  base=$cache/base-$suite-$architecture.tar
  [ -f "$base" ] || step 1800 "debootstrap of a minimal Debian 12" make_base
}
# shellcheck disable=SC2016 # apt's variables
# Where apt of this machine takes a suite from.
archive_of() { # SUITE
  apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Codename: $1" "Component: main" | sed -n '1s|/$||p'
}
make_base() {
  exec 8>"$base.lock"
  flock 8
  [ ! -f "$base" ] || return 0
  mirror=${DEBIAN_MIRROR:-$(archive_of "$suite")}
  security=${DEBIAN_SECURITY_MIRROR:-$(archive_of "$suite-security")}
  [ -n "$mirror" ] && [ -n "$security" ] || die "apt of this machine has no $suite and $suite-security: set DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR to archives that have"
  bounded "$limit" debootstrap --variant=minbase --arch="$architecture" "$suite" "$work/base" "$mirror"
  cat >"$work/base/etc/apt/sources.list" <<SOURCES
deb $mirror $suite main
deb $mirror $suite-updates main
deb $security $suite-security main
SOURCES
  # A proxy of this machine's apt is needed inside, too.
  apt-config dump | grep '^Acquire::[a-z]*::Proxy' >"$work/base/etc/apt/apt.conf.d/80proxy" || true
  # As in every container: no init runs here that could start what is installed.
  printf '#!/bin/sh\nexit 101\n' >"$work/base/usr/sbin/policy-rc.d"
  chmod 755 "$work/base/usr/sbin/policy-rc.d"
  rm -f "$work"/base/var/cache/apt/archives/*.deb
  tar -C "$work/base" -cf "$base.part" .
  mv "$base.part" "$base"
  remove_tree "$work/base"
}
unpack_base() { # FOLDER
  mkdir -p "$1"
  tar -C "$1" -xf "$base"
}

# block FILE SECTION N: the Nth sh block below a heading, as printed there.
block() {
  awk -v section="$2" -v wanted="$3" '
    /^##* / { here = ($0 == section) }
    here && /^```sh$/ { inside = (++count == wanted); next }
    /^```$/ { inside = 0 }
    inside { print; found = 1 }
    END { exit !found }' "$1" || die "$1: no block $3 of commands below \"$2\""
}
