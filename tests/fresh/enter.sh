#!/bin/sh
# Makes a folder the root of this namespace and runs a command there. Only ever called by enter() of lib.sh, which
# makes the mount and process namespaces: what is mounted here is gone when the command ends, however it ends.
#   sh enter.sh ROOT [--bind FROM TO] [--tmpfs FOLDER OPTIONS] [--loopback] [--beside SCRIPT] [--contained USER] -- COMMAND…
set -eu
new=$1
shift
mount --bind "$new" "$new"
contained=
while [ "$1" != -- ]; do
  case $1 in
    --bind)
      mkdir -p "$new/$3"
      mount --bind "$2" "$new/$3"
      shift 3
      ;;
    --tmpfs)
      mount -t tmpfs -o "$3" tmpfs "$new/$2"
      shift 3
      ;;
    # A program of the outer machine in the same network, e.g. a server that is no part of the root.
    --beside)
      unshare --mount sh "$2" &
      shift 2
      ;;
    # As the compose file has it: read-only, another user, no capability, and none to be had.
    --contained)
      contained=$2
      shift 2
      ;;
    # A network of its own: services listen on the ports that they ship with, whatever this machine runs.
    --loopback)
      ip link set lo up
      shift
      ;;
  esac
done
shift

mount -t proc proc "$new/proc"
mount -t sysfs -o ro sysfs "$new/sys"
mount -t tmpfs -o mode=755 tmpfs "$new/run"
mount -t tmpfs -o mode=755,size=1m tmpfs "$new/dev"
for device in null zero full random urandom tty; do
  : >"$new/dev/$device"
  mount --bind "/dev/$device" "$new/dev/$device"
done
ln -s /proc/self/fd "$new/dev/fd"
ln -s fd/0 "$new/dev/stdin"
ln -s fd/1 "$new/dev/stdout"
ln -s fd/2 "$new/dev/stderr"
mkdir "$new/dev/pts" "$new/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$new/dev/pts"
ln -s pts/ptmx "$new/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$new/dev/shm"
cat /etc/resolv.conf >"$new/etc/resolv.conf"
echo fresh >"$new/etc/hostname"
printf '127.0.0.1 localhost fresh\n::1 localhost\n' >"$new/etc/hosts"
hostname fresh

# A true root, not only chroot: the kernel makes no user namespace, which bubblewrap needs, where somebody chrooted.
cd "$new"
mkdir -p .outside
pivot_root . .outside
# shellcheck disable=SC2016 # expanded inside
exec chroot . /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
  LANG=C.UTF-8 TERM=dumb USER=root LOGNAME=root SHELL=/bin/sh sh -ec '
    umount -l /.outside
    rmdir /.outside
    cd /root
    user=$1
    shift
    [ -n "$user" ] || exec "$@"
    mount -o remount,bind,ro /
    cd /
    exec setpriv --reuid "$user" --regid "$user" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
      env HOME=/tmp USER=botburrow "$@"' sh "$contained" "$@"
