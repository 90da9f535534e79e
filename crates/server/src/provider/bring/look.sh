# Says what is there, a line each.
set -u
if [ "$(id -u)" = 0 ]; then home=/var/lib/toehold-agent; else home="$HOME/.local/state/toehold-agent"; fi
echo "architecture $(uname -m)"
sum=$(sha256sum "$home/bin/toehold" 2>/dev/null) || sum=
echo "program ${sum%% *}"
echo "joined $(cat "$home/agent/joined" 2>/dev/null)"
echo "certificate $(cat "$home/agent/certificate" 2>/dev/null)"
# The agent holds a lock on its folder for as long as it lives.
if [ -e "$home/agent/lock" ] && ! flock -n "$home/agent/lock" true; then
    echo "runs yes"
else
    echo "runs no"
fi
