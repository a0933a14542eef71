#!/bin/sh
# A real Kubernetes API server and its etcd, into .cache/deploy-tools/apiserver: no package has a built one, so it is
# built from Debian's source package, once. Takes three to seven minutes, 1.7 GB of memory and 3 GB of
# disk, most of which is given back.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
target=$root/.cache/deploy-tools/apiserver
[ ! -x "$target/kube-apiserver" ] || [ ! -x "$target/etcd" ] || exit 0

say() { printf '%s\n' "$*" >&2; }
work=$target/work
mkdir -p "$work/lists/partial" "$work/packages" "$work/unpacked"
cd "$work/packages"

say "fetching etcd, Go and the sources of Kubernetes"
apt-get download -qq etcd-server golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev >&2
for package in *.deb; do dpkg -x "$package" "$work/unpacked"; done
# A list of sources of our own: the machine's is not ours to change.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no archive: run apt-get update" >&2; exit 1; }
printf 'deb-src %s bookworm main\n' "$mirror" >"$work/sources.list"
private="-o Dir::Etc::sourcelist=$work/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$work/lists"
# shellcheck disable=SC2086
apt-get $private update -qq
# shellcheck disable=SC2086
apt-get $private source -qq --download-only kubernetes >&2
gopath=$work/go
mkdir -p "$gopath/src/k8s.io"
rm -rf "$gopath/src/k8s.io/kubernetes"
dpkg-source --no-check -x kubernetes_*.dsc "$gopath/src/k8s.io/kubernetes" >&2

# The copy of reflect2 in there reads Go's maps as they were before 1.18, and crashes at the first custom resource.
reflect2=$gopath/src/k8s.io/kubernetes/vendor/github.com/modern-go/reflect2
rm "$reflect2"/*
cp "$work"/unpacked/usr/share/gocode/src/github.com/modern-go/reflect2/* "$reflect2/"

say "building it"
export GOROOT="$work/unpacked/usr/lib/go-1.19" GOPATH="$gopath" GOCACHE="$work/cache" GO111MODULE=off CGO_ENABLED=0 GOFLAGS=-buildvcs=false
PATH=$GOROOT/bin:$PATH
cd "$gopath/src/k8s.io/kubernetes"
jobs=${BOTBURROW_GO_JOBS:-$(nproc)}
# The API server describes itself by code that is generated.
go build -p "$jobs" -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
inputs=$(grep -rl --include='*.go' '+k8s:openapi-gen=' pkg/apis staging/src/k8s.io vendor/k8s.io 2>/dev/null |
  xargs -n 1 dirname | sort -u | sed 's,^staging/src/,,; s,^vendor/,,; s,^pkg/,k8s.io/kubernetes/pkg/,' | sort -u | tr '\n' ,)
"$work/openapi-gen" --go-header-file hack/boilerplate/boilerplate.generatego.txt --output-file-base zz_generated.openapi \
  --input-dirs "${inputs%,}" --output-package k8s.io/kubernetes/pkg/generated/openapi --report-filename "$work/violations" >&2
go build -p "$jobs" -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=v1.20.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=20' \
  -o "$target/kube-apiserver" ./cmd/kube-apiserver
cp "$work/unpacked/usr/bin/etcd" "$target/etcd"
cd "$target"
chmod -R u+w "$work"
rm -rf "$work"
say "built $target/kube-apiserver"
