# Makes 100 orphans every five seconds, and counts the zombies that are left.
while :; do
    for _ in $(seq 100); do
        (sleep 0.2 &)
    done
    sleep 5
    zombies=$(cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.Z')
    echo "left 100 orphans behind; zombies on this machine: $zombies"
done
