//! Linux networking: namespaces, interfaces, routes, netfilter, conntrack, sockets and the packet walk.
