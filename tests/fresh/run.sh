#!/bin/sh
# A fresh machine, really: a minimal Debian 12 in a folder, this repository cloned into it, and then what README.md and
# the deployment guide print, word for word. `./dev test-fresh --help` tells the parts.
set -eu
. "$(dirname "$0")/lib.sh"
keep=no shared_cache= built= parts=
while [ $# -gt 0 ]; do
  case $1 in
    demo | test | deb | operations) parts="$parts $1" ;;
    --keep) keep=yes ;;
    --ccache) shared_cache=$(cd "$2" && pwd) && shift ;;
    --built) built=$(cd "$2" && pwd) && shift ;;
    *) echo "test-fresh: no part and no option: $1 (demo, test, deb, operations; --keep, --ccache DIR, --built DIR)" >&2; exit 64 ;;
  esac
  shift
done
[ -n "$parts" ] || parts="demo test deb operations"
wanted() { case " $parts " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

begin fresh
need_packages debootstrap util-linux iproute2 git
base_archive
first=$work/first second=$work/second blocks=$work/blocks
archives=$cache/archives
mkdir -p "$archives/partial" "$blocks"
clone=/root/botburrow

# Downloads are kept, so that a second run needs the network for lists alone.
at_first() {
  set -- "$@"
  if [ -n "$shared_cache" ]; then
    enter "$first" --bind "$archives" /var/cache/apt/archives --bind "$shared_cache" /var/cache/ccache -- env CCACHE_DIR=/var/cache/ccache "$@"
  else
    enter "$first" --bind "$archives" /var/cache/apt/archives -- "$@"
  fi
}
at_second() { enter "$second" --bind "$archives" /var/cache/apt/archives -- "$@"; }

block "$root/README.md" '## See it work' 1 >"$blocks/demo"
block "$root/README.md" '## See it work' 2 >"$blocks/up"
block "$root/README.md" '## See it work' 3 >"$blocks/beside"
block "$root/README.md" '## Test it' 1 >"$blocks/test"
guide=$root/docs/operations/deployment.md
block "$guide" '## With systemd' 1 >"$blocks/install"
block "$guide" '## With systemd' 2 >"$blocks/redis"
block "$guide" '## With systemd' 3 >"$blocks/services"
block "$guide" '## With systemd' 4 >"$blocks/ask"
block "$guide" '## With systemd' 5 >"$blocks/doctor"

# What the first machine is for: the clone, and what is built in it.
clone_there() {
  git -C "$root" bundle create -q "$work/source" HEAD
  unpack_base "$first"
  mkdir -p "$first/fresh"
  cp "$work/source" "$root"/tests/fresh/inside/* "$blocks"/* "$first/fresh/"
  at_first sh -ec "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git ca-certificates
    mkdir -p '$(dirname "$clone")' && git clone -q /fresh/source '$clone' && git -C '$clone' log -1 --oneline"
}
make_first() {
  [ ! -d "$first" ] || return 0
  # The compiler cache knows files by their paths.
  [ -z "$shared_cache" ] || { clone=$root; say "fresh: with a compiler cache from outside: times are not those of a fresh machine"; }
  [ -z "$(git -C "$root" status --porcelain)" ] || say "fresh: the tree has changes that are not committed; what is tried is HEAD"
  step 900 "a machine with git, and the clone of $(git -C "$root" log -1 --format=%h)" clone_there
}
block_of() { tr '\n' ';' <"$blocks/$1" | sed 's/;$//; s/;/; /g' | cut -c 1-40; }

if wanted demo; then
  make_first
  step 5400 "README: $(block_of demo)" at_first sh /fresh/readme.sh "$clone" first /fresh/demo
  step 900 "README: $(block_of up), and beside it what follows" at_first sh /fresh/readme.sh "$clone" beside /fresh/up /fresh/beside
fi
if wanted test; then
  make_first
  step 9000 "README: $(block_of test)" at_first sh /fresh/readme.sh "$clone" first /fresh/test
  tail -n 3 "$log" >&2
fi

# The package, from the first machine or from a build folder of this one, on a second machine.
package_there() { at_first sh -ec "cd '$clone' && $(head -n 1 "$blocks/install")"; }
tests_there() { at_first sh -ec "cd '$clone' && ./dev build test_e2e"; }
package_here() { (cd "$built" && cpack -B "$work/packages"); }
install_there() {
  unpack_base "$second"
  mkdir -p "$second/fresh" "$second/root/build/release"
  cp "$package" "$second/root/build/release/"
  cp "$root"/tests/fresh/inside/* "$blocks"/* "$second/fresh/"
  cp "$root/tests/fresh/inside/sudo" "$root/tests/fresh/inside/systemctl" "$second/usr/local/sbin/"
  chmod 755 "$second"/usr/local/sbin/*
  # Everything but the first line of the block, which made the package.
  sed 1d "$blocks/install" >"$second/fresh/install"
  at_second sh -ec 'apt-get update -qq && export DEBIAN_FRONTEND=noninteractive && sh -ex /fresh/install </dev/null'
}
make_second() {
  [ ! -d "$second" ] || return 0
  if [ -n "$built" ]; then
    step 300 "the package, of $built" package_here
    package=$(echo "$work"/packages/*.deb)
  else
    make_first
    step 5400 "guide: $(head -n 1 "$blocks/install")" package_there
    package=$(echo "$first/$clone"/build/release/botburrow_*.deb)
  fi
  say "fresh: $(basename "$package"): $(du -h "$package" | cut -f 1)"
  step 900 "guide: $(sed -n 2p "$blocks/install" | sed 's,\./build/release/,,' | cut -c 1-48)" install_there
}

if wanted deb; then
  make_second
  step 300 "botburrow demo, by an ordinary user" at_second sh /fresh/user.sh
fi
if wanted operations; then
  make_second
  if [ -n "$built" ]; then
    tests=$built/tests
  else
    step 5400 "the tests of doctor" tests_there
    tests=$first/$clone/build/release/tests
  fi
  mkdir -p "$second/fresh/tests"
  cp "$tests/test_e2e" "$tests/bb_fake_mcp" "$tests/libbb_clockshim.so" "$second/fresh/tests/"
  step 3600 "the guide's services, verify, doctor, and faults" enter "$second" --loopback -- sh /fresh/operations.sh
fi
if wanted deb || wanted operations; then
  step 300 "apt-get purge leaves nothing but data and keys" at_second sh /fresh/purge.sh
fi
say "fresh: all is well ($(($(date +%s) - begun)) s)"
