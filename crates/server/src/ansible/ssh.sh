#!/bin/sh
# `ssh`, `sftp` or `scp`, by the name this was called by. Of an option that is said twice the first
# counts: no setting of Ansible's lets another host key be believed.
exec "${0##*/}" -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null \
    -o "UserKnownHostsFile=\"$TOEHOLD_KNOWN_HOSTS\"" "$@"
