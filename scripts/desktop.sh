#!/bin/sh
# A small desktop for ./run.sh: a window manager and two terminals, so that there is something to see and to type into.
command -v xsetroot >/dev/null && xsetroot -solid '#2b3a55'
openbox &
xterm -fa 'DejaVu Sans Mono' -fs 12 -geometry 90x24+60+60 -bg '#10151f' -fg '#e6e6e6' -T 'selkies-host' &
xterm -fa 'DejaVu Sans Mono' -fs 10 -geometry 70x14+520+420 -bg '#1f1610' -fg '#ffd9a0' -T 'load' -e sh -c 'top -d 2' &
wait
