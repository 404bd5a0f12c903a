# Two network namespaces that stand for machines, to start ranks in both. To be read by bash. Needs root.
# The machines are joined twice: directly, in network $direct, and by a slow link, in network $slow. Each is named node1
# or node2 for the programs that run there.

direct=10.77.0.0/24
slow=10.77.1.0/24
node1=twofour_$$_1
node2=twofour_$$_2
slow_link=

# Ends with a message unless machines can be made here.
require_machines() {
  local missing=() program
  [ "$(id -u)" -eq 0 ] || { echo "--tcp makes network namespaces, which only root may" >&2; exit 2; }
  for program in ip unshare hostname python3; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [ -e /dev/net/tun ] || missing+=(/dev/net/tun)
  [ "${#missing[@]}" -eq 0 ] || { echo "missing for --tcp: ${missing[*]} (ip is in Debian's iproute2)" >&2; exit 2; }
}

# The slow link is a program and not `tc netem`, because many kernels lack netem.
make_machines() {  # FOLDER DELAY_MS LOSS_PERCENT
  local n node ends=("tf$$a" "tf$$b")
  ip netns add "$node1"
  ip netns add "$node2"
  ip link add direct netns "$node1" type veth peer name direct netns "$node2"
  scripts/slow_link.py "${ends[@]}" "$2" "$3" >"$1/slow_link" 2>&1 &
  slow_link=$!
  until grep -qs ready "$1/slow_link"; do
    kill -0 "$slow_link" 2>/dev/null || { cat "$1/slow_link" >&2; exit 1; }
    sleep 0.1
  done
  for n in 1 2; do
    node=twofour_$$_$n
    ip link set "${ends[n - 1]}" netns "$node" name slow
    ip -n "$node" address add "${direct%0/24}$n/24" dev direct
    ip -n "$node" address add "${slow%0/24}$n/24" dev slow
    for interface in lo direct slow; do ip -n "$node" link set "$interface" up; done
  done
  # What mpirun calls in place of ssh: NAME OF A MACHINE, then words of a command.
  cat >"$1/start_on_node2" <<END
#!/bin/sh
shift
exec ip netns exec $node2 unshare --uts sh -c "hostname node2; \$*"
END
  chmod +x "$1/start_on_node2"
  start_on_node2=$1/start_on_node2
}

# Sets $between to a command that starts ranks on both machines in turn, which talk over one of the networks. What
# mpirun itself sends takes the direct way.
reach_over() {  # NETWORK
  between=(ip netns exec "$node1" unshare --uts sh -c 'hostname node1; exec "$@"' sh
           "${mpirun[@]}" --host "${direct%0/24}1,${direct%0/24}2" --map-by node
           --mca plm_rsh_agent "$start_on_node2" --mca oob_tcp_if_include "$direct"
           --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include "$1")
}

# Returns when the slow link has ended; the file slow_link then says what it has moved.
remove_machines() {
  if [ -n "$slow_link" ]; then
    kill "$slow_link" 2>/dev/null || true
    wait "$slow_link" || true
    slow_link=
  fi
  ip netns del "$node1" 2>/dev/null || true
  ip netns del "$node2" 2>/dev/null || true
}
