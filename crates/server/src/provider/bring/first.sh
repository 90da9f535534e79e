# Shows the end of what the machine said when it first started.
set -u
for file in /var/log/cloud-init-output.log /var/log/cloud-init.log; do
    [ -r "$file" ] || continue
    echo "== $file"
    tail -c 24000 "$file"
done
