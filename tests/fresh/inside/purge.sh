#!/bin/sh
# The package goes, and with it everything but data and keys.
set -eu
echo key >/etc/botburrow/credentials/KEPT
DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq botburrow
[ -e /etc/botburrow/credentials/KEPT ] || { echo "a key was deleted"; exit 1; }
rm -rf /etc/botburrow
find / -xdev -iname '*botburrow*' -not -path '/proc/*' -not -path '/fresh/*' -not -path '/root/*' -not -path '/srv/*' \
  -not -path '/var/lib/botburrow-*' -not -path '/var/cache/*' -not -path '/var/log/*' -not -path '/run/*' -not -path '/tmp/*' >/tmp/left
if [ -s /tmp/left ]; then
  echo "purge leaves:"
  cat /tmp/left
  exit 1
fi
