#!/bin/sh
# The Debian package: made by cpack in the build folder, then installed, removed and purged in a root of its own.
#   sh tests/deploy/package.sh PROGRAM BUILD_FOLDER
set -eu
. "$(dirname "$0")/lib.sh"
build=${2:-$root/build/release}
need cpack dpkg dpkg-deb dpkg-shlibdeps

(cd "$build" && cpack -B "$scratch/out" >"$scratch/said" 2>&1) || { fault "cpack: $(tail -n 2 "$scratch/said")"; finish; }
package=$(echo "$scratch"/out/botburrow_*.deb)
version=$(cat "$root/VERSION")
[ "$(dpkg-deb -f "$package" Version)" = "$version" ] || fault "the package is not of version $version"
for library in libcurl4 libssl3 libsqlite3-0 libhiredis0.14 libyaml-cpp0.7 libfmt9 libc6; do
  case $(dpkg-deb -f "$package" Depends) in *"$library"*) ;; *) fault "does not depend on $library" ;; esac
done

target=$scratch/root
mkdir -p "$target/var/lib/dpkg/info" "$target/var/lib/dpkg/updates"
: >"$target/var/lib/dpkg/status"
dpkg_there() { dpkg --root="$target" --force-script-chrootless --force-depends --force-not-root "$@" >"$scratch/said" 2>&1 || fault "dpkg $1: $(tail -n 1 "$scratch/said")"; }
there() { [ -e "$target/$1" ] || fault "after the installation there is no /$1"; }

dpkg_there -i "$package"
"$target/usr/bin/botburrow" --version >"$scratch/said" 2>&1 || fault "the installed program does not run: $(head -n 1 "$scratch/said")"
case $(cat "$scratch/said") in "botburrow $version "*) ;; *) fault "the installed program is another version: $(cat "$scratch/said")" ;; esac
for file in lib/systemd/system/botburrow-hub.service lib/systemd/system/botburrow-coordinator.service \
  lib/systemd/system/botburrow-runner@.service lib/systemd/system/botburrow.target etc/botburrow/agents.env \
  usr/share/bash-completion/completions/botburrow usr/share/zsh/vendor-completions/_botburrow \
  usr/share/fish/vendor_completions.d/botburrow.fish usr/share/doc/botburrow/copyright \
  usr/share/doc/botburrow/operations/deployment.md usr/share/botburrow/examples/agents/ada-guide/config.yaml \
  usr/share/doc/botburrow/examples/agents/ada-guide/config.yaml; do
  there "$file"
done
[ "$(stat -c %a "$target/etc/botburrow/credentials")" = 700 ] || fault "credentials can be read by others"
[ -s "$target/usr/share/bash-completion/completions/botburrow" ] || fault "the completion is empty"
"$target/usr/bin/botburrow" validate "$target/usr/share/doc/botburrow/examples" >"$scratch/said" 2>&1 || fault "the installed examples are not valid: $(head -n 1 "$scratch/said")"

# The examples are found wherever one stands.
(cd / && "$target/usr/bin/botburrow" demo) >"$scratch/said" 2>&1 || fault "the installed program's demo: $(tail -n 1 "$scratch/said")"

# What the operator wrote survives removal; what he keeps in credentials, the purge too.
echo 'API_PORT=8001' >>"$target/etc/botburrow/hub.env"
echo key >"$target/etc/botburrow/credentials/HUB_API_KEY"
dpkg_there -r botburrow
[ ! -e "$target/usr/bin/botburrow" ] || fault "removal leaves the program"
grep -q 8001 "$target/etc/botburrow/hub.env" || fault "removal takes the operator's settings"
dpkg_there -P botburrow
[ ! -e "$target/etc/botburrow/hub.env" ] || fault "purge leaves settings"
[ -e "$target/etc/botburrow/credentials/HUB_API_KEY" ] || fault "purge deletes a key"
rm -r "$target/etc/botburrow"
find "$target" -name '*botburrow*' -not -path '*/var/lib/dpkg/*' >"$scratch/out-files"
while IFS= read -r line; do fault "purge leaves ${line#"$target"}"; done <"$scratch/out-files"
finish
