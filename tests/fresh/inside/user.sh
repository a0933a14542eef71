#!/bin/sh
# The installed program in the hands of somebody who is not root and has no checkout.
set -eu
useradd --create-home ada
botburrow --version
cd /home/ada
exec setpriv --reuid=ada --regid=ada --init-groups --no-new-privs env HOME=/home/ada USER=ada botburrow demo
