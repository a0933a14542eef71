#!/bin/sh
# Takes one mechanism at a time out of the sources and asks the tests whether they notice.
#
#   run.sh [--json FILE] [NAME...]   builds and runs them; exit 1 if one is not caught
#   run.sh --check [NAME...]         only whether every patch still fits the sources
#
# A mutant is tests/mutants/NAME.patch. Its head says which guarantee it breaks (`Guarantee:`), the
# test program (`Program:`) and the tests that must fail (`Tests:`, a filter as --gtest_filter takes).
set -eu
cd "$(dirname "$0")/../.."

patches=tests/mutants
work=build/mutants
copy=$work/src
built=$work/tests
parts='CMakeLists.txt CMakePresets.json VERSION cmake src web tests bench'

say() { printf '%s\n' "$*"; }
head_of() { sed -n "s/^$2: *//p" "$patches/$1.patch" | head -n 1; }
names() {
  if [ $# -gt 0 ]; then printf '%s\n' "$@"; else (cd "$patches" && ls -- *.patch) | sed 's/\.patch$//'; fi
}

# Git must not take the copy for a folder of the repository around it.
change() {
  patch=$PWD/$patches/$1.patch
  shift
  (ceiling=$PWD/$work && cd "$copy" && GIT_CEILING_DIRECTORIES=$ceiling git apply -C1 "$@" "$patch")
}

# Only what differs is written, so that only that is built again.
mirror() {
  mkdir -p "$copy"
  # shellcheck disable=SC2086
  find $parts -type f | while read -r file; do
    cmp -s "$file" "$copy/$file" && continue
    mkdir -p "$(dirname "$copy/$file")"
    cp "$file" "$copy/$file"
  done
  # shellcheck disable=SC2086
  (cd "$copy" && find $parts -type f) | while read -r file; do
    [ -f "$file" ] || rm -f "$copy/$file"
  done
}

build() {
  [ -f "$built/build.ninja" ] || cmake --preset release -S "$copy" -B "$built" >&2 || return 1
  ninja -C "$built" "$1" >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; return 1; }
}

run_tests() { timeout 300 "$built/tests/$1" --gtest_filter="$2" >"$work/$3.log" 2>&1; }

# The sources as they are have to pass: a test that fails anyway proves nothing.
control() {
  for program in $(for name; do head_of "$name" Program; done | sort -u); do
    filter=$(for name; do [ "$(head_of "$name" Program)" != "$program" ] || head_of "$name" Tests; done | paste -sd: -)
    if ! build "$program" || ! run_tests "$program" "$filter" "$program"; then
      say "without any change $program does not pass, see $work/$program.log" >&2
      return 1
    fi
  done
}

# judge NAME: builds what is in the copy and says whether the tests fail.
judge() {
  program=$(head_of "$1" Program)
  build "$program" || { verdict='NOT built'; return; }
  code=0
  run_tests "$program" "$(head_of "$1" Tests)" "$1" || code=$?
  verdict='NOT caught'
  # A test that fails, the death of the program, or no end; not a program that cannot be started.
  if [ "$code" = 124 ] || [ "$code" -gt 128 ] || { [ "$code" != 0 ] && grep -q '^\[  FAILED  \]' "$work/$1.log"; }; then
    verdict=caught
  fi
}

check=no json=
while [ $# -gt 0 ]; do
  case "$1" in
    --check) check=yes ;;
    --json) json=${2:?--json needs a file}; shift ;;
    -*) say "mutants: unknown flag $1" >&2; exit 64 ;;
    *) break ;;
  esac
  shift
done
for name in $(names "$@"); do
  [ -f "$patches/$name.patch" ] || { say "no $patches/$name.patch" >&2; exit 64; }
done

failed=0
if [ "$check" = yes ]; then
  for name in $(names "$@"); do
    git apply -C1 --check "$patches/$name.patch" || { say "$patches/$name.patch no longer fits; make it again"; failed=1; }
  done
  exit "$failed"
fi

mkdir -p "$work"
results=
mirror
# shellcheck disable=SC2046
control $(names "$@") || exit 1
for name in $(names "$@"); do
  begun=$(date +%s)
  if change "$name"; then judge "$name"; change "$name" -R; else verdict='NOT applied'; fi
  [ "$verdict" = caught ] || failed=1
  seconds=$(($(date +%s) - begun))
  printf '%-11s %-40s %4s s  %s\n' "$verdict" "$name" "$seconds" "$(head_of "$name" Tests)"
  results="$results${results:+,
}  {\"mutant\": \"$name\", \"result\": \"$verdict\", \"seconds\": $seconds, \"tests\": \"$(head_of "$name" Tests)\"}"
done
[ -z "$json" ] || printf '[\n%s\n]\n' "$results" >"$json"
exit "$failed"
