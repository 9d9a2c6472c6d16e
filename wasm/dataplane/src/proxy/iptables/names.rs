//! Names of kube-proxy's chains.
//! Models pkg/proxy/iptables/proxier.go portProtoHash, servicePortEndpointChainName (v1.36).

use hoplab_trace::Name;
use sha2::{Digest, Sha256};

/// The first 16 characters of the base32 form (RFC 4648) of a SHA-256 sum.
pub(in crate::proxy) fn hash(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let sum = Sha256::digest(text.as_bytes());
    // 16 characters of 5 bits are the first 10 bytes.
    let mut out = String::with_capacity(16);
    let (mut bits, mut count) = (0u32, 0);
    for byte in sum.iter().take(10) {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            out.push(ALPHABET[(bits >> count & 31) as usize] as char);
        }
        bits &= (1 << count) - 1;
    }
    out
}

/// Names of the chains of one Service port.
#[derive(Clone, Debug)]
pub struct ChainNames {
    /// Endpoints under the policy Cluster.
    pub svc: Name,
    /// Endpoints under the policy Local.
    pub svl: Name,
    /// Source ranges of the load balancer.
    pub fw: Name,
    /// Whatever comes in by an outside address.
    pub ext: Name,
}

/// The chains of a Service port (`ns/name:port`) and protocol (`tcp`).
pub fn service_chains(full_name: &str, protocol: &str) -> ChainNames {
    let hash = hash(&format!("{full_name}{protocol}"));
    ChainNames {
        svc: format!("KUBE-SVC-{hash}").into(),
        svl: format!("KUBE-SVL-{hash}").into(),
        fw: format!("KUBE-FW-{hash}").into(),
        ext: format!("KUBE-EXT-{hash}").into(),
    }
}

/// The chain of one endpoint (`10.0.0.1:80`) of a Service port.
pub fn endpoint_chain(full_name: &str, protocol: &str, endpoint: &str) -> Name {
    format!("KUBE-SEP-{}", hash(&format!("{full_name}{protocol}{endpoint}"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_names_are_those_of_a_real_kube_proxy() {
        assert_eq!(
            &*service_chains("ns1/svc1:p80", "tcp").svc,
            "KUBE-SVC-XPGD46QRK7WJZT7O"
        );
        assert_eq!(
            &*endpoint_chain("ns1/svc1:p80", "tcp", "10.180.0.1:80"),
            "KUBE-SEP-SXIVWICOYRO3J4NJ"
        );
        // Every kubeadm cluster has these.
        assert_eq!(
            &*service_chains("default/kubernetes:https", "tcp").svc,
            "KUBE-SVC-NPX46M4PTMTKRN6Y"
        );
        assert_eq!(
            &*service_chains("kube-system/kube-dns:dns", "udp").svc,
            "KUBE-SVC-TCOU7JCQXEZGVUNU"
        );
        assert_eq!(
            &*service_chains("kube-system/kube-dns:dns-tcp", "tcp").svc,
            "KUBE-SVC-ERIFXISQEP7F7OF4"
        );
    }
}
