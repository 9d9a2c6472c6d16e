//! What agents write on nodes: CNI plug-ins, kube-proxy, cluster DNS.
