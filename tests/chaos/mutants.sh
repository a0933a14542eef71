#!/bin/sh
# Takes one mechanism out of the program, builds that, and asks the chaos harness whether it notices.
#
#   mutants.sh [--no-control] [NAME...]   builds and runs them; exit 1 when one is not caught
#   mutants.sh --check [NAME...]          only whether every patch still fits the sources
#
# A mutant is tests/chaos/mutants/NAME.patch. Its head says what it takes out, what to run (`Run:`)
# and, as an extended regular expression, what the checker must complain of (`Caught by:`). The
# program as it is has to pass the same run: a complaint that comes anyway proves nothing.
# SEEDS (default 1) are the seeds to run, BB_CHAOS the harness to run them with.
set -eu
cd "$(dirname "$0")/../.."

top=$(pwd)
patches=tests/chaos/mutants
work=build/mutants
copy=$work/src
harness=${BB_CHAOS:-build/release/tests/bb_chaos}
parts='CMakeLists.txt CMakePresets.json VERSION cmake src web'

say() { printf '%s\n' "$*" >&2; }

names() {
  if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
  else
    for file in "$patches"/*.patch; do basename "$file" .patch; done
  fi
}

head_of() { sed -n "s/^$2: //p" "$patches/$1.patch" | head -n 1; }

# Only what differs is written, so that only that is built again.
mirror() {
  mkdir -p "$copy"
  # shellcheck disable=SC2086
  find $parts -type f | while read -r file; do
    if ! cmp -s "$file" "$copy/$file"; then
      mkdir -p "$(dirname "$copy/$file")"
      cp "$file" "$copy/$file"
    fi
  done
  # shellcheck disable=SC2086
  (cd "$copy" && find $parts -type f) | while read -r file; do
    [ -f "$file" ] || rm -f "$copy/$file"
  done
}

# Git must not take the copy for a folder of the repository around it.
apply() {
  (cd "$copy" && GIT_CEILING_DIRECTORIES=$top/$work git apply "$top/$patches/$1.patch")
}

build() {
  [ -f "$copy/build/release/build.ninja" ] \
    || (cd "$copy" && cmake --preset release -DBOTBURROW_TESTS=OFF) >"$work/cmake.log" 2>&1 \
    || { cat "$work/cmake.log" >&2; return 1; }
  ninja -C "$copy/build/release" botburrow >"$work/build.log" 2>&1 \
    || { tail -n 40 "$work/build.log" >&2; return 1; }
}

# run PROGRAM SEED LOG ARGUMENTS...
run() {
  program=$1 seed=$2 log=$3
  shift 3
  "$harness" "$@" --seed "$seed" --program "$top/$program" --keep "$work/kept" >"$log" 2>&1
}

checked=
# The program as it is, once for each kind of run.
control() {
  [ "$with_control" = yes ] || return 0
  case "$checked" in *"|$1 $2|"*) return 0 ;; esac
  # shellcheck disable=SC2086
  if run build/release/botburrow "$2" "$work/control.log" $1; then
    checked="$checked|$1 $2|"
    return 0
  fi
  say "the program as it is does not pass: $1 --seed $2"
  grep '^chaos: ' "$work/control.log" >&2 || tail -n 5 "$work/control.log" >&2
  return 1
}

# judge NAME SEED: says whether the mutant that is built is caught.
judge() {
  wanted=$(head_of "$1" 'Caught by')
  arguments=$(head_of "$1" Run)
  log=$work/$1-$2.log
  code=0
  # shellcheck disable=SC2086
  run "$copy/build/release/botburrow" "$2" "$log" $arguments || code=$?
  complaint=$(grep '^chaos: ' "$log" | grep -E -m 1 "$wanted" || true)
  if [ "$code" = 1 ] && [ -n "$complaint" ]; then
    say "caught      $1 (seed $2): ${complaint#chaos: }"
    return 0
  fi
  say "NOT caught  $1 (seed $2): exit code $code, no complaint like '$wanted'; see $log"
  return 1
}

with_control=yes
check=no
while [ $# -gt 0 ]; do
  case "$1" in
    --check) check=yes ;;
    --no-control) with_control=no ;;
    *) break ;;
  esac
  shift
done

for name in $(names "$@"); do
  [ -f "$patches/$name.patch" ] || { say "no $patches/$name.patch"; exit 64; }
done

failed=0
if [ "$check" = yes ]; then
  for name in $(names "$@"); do
    [ -n "$(head_of "$name" Run)" ] && [ -n "$(head_of "$name" 'Caught by')" ] \
      || { say "$patches/$name.patch: its head needs 'Run: ' and 'Caught by: '"; failed=1; }
    git apply --check "$patches/$name.patch" \
      || { say "$patches/$name.patch no longer fits the sources; make it again"; failed=1; }
  done
  exit "$failed"
fi

mkdir -p "$work"
for name in $(names "$@"); do
  mirror
  apply "$name" || { failed=1; continue; }
  say "building    $name"
  build || { say "NOT built   $name"; failed=1; continue; }
  for seed in ${SEEDS:-1}; do
    control "$(head_of "$name" Run)" "$seed" || failed=1
    judge "$name" "$seed" || failed=1
  done
done
mirror
exit "$failed"
