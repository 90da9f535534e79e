# Puts the program that comes on stdin in place, whole or not at all.
set -eu
if [ "$(id -u)" = 0 ]; then home=/var/lib/toehold-agent; else home="$HOME/.local/state/toehold-agent"; fi
umask 077
mkdir -p "$home/bin"
cat > "$home/bin/toehold.new"
chmod 700 "$home/bin/toehold.new"
"$home/bin/toehold.new" --version >/dev/null
mv "$home/bin/toehold.new" "$home/bin/toehold"
