//! Simulated commands: ip, bridge, iptables-save, conntrack, dig, curl, ping, kubectl get.
