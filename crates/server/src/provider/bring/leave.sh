# Ends the agent and what it runs, and forgets who it was. What apps keep stays.
set -u
if [ "$(id -u)" = 0 ]; then home=/var/lib/toehold-agent; else home="$HOME/.local/state/toehold-agent"; fi
if [ "$(id -u)" = 0 ] && [ -e /etc/systemd/system/toehold-agent.service ]; then
    systemctl disable --quiet toehold-agent.service
    systemctl kill --kill-whom=main --signal=INT toehold-agent.service
    systemctl stop toehold-agent.service
    rm -f /etc/systemd/system/toehold-agent.service
    systemctl daemon-reload
elif [ -e "$home/agent.pid" ]; then
    pid=$(cat "$home/agent.pid")
    program=$(readlink "/proc/$pid/exe" 2>/dev/null || true)
    if [ "${program% (deleted)}" = "$home/bin/toehold" ]; then
        kill -INT "$pid"
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ -d "/proc/$pid" ] || break
            sleep 0.5
        done
    fi
fi
rm -rf "$home/bin" "$home/agent.pid"
for file in identity identity.prev joined certificate placement placement.prev; do rm -f "$home/agent/$file"; done
