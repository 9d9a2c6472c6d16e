//! Names and addresses that real agents draw at random, made from what they belong to, so that the same world always
//! has the same.

use hoplab_trace::Name;
use hoplab_wire::MacAddr;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

/// A locally administered unicast address for a device.
pub fn mac(owner: &str, device: &str) -> MacAddr {
    let bytes = digest(&["mac", owner, device]);
    MacAddr([
        bytes[0] & 0xfc | 2,
        bytes[1],
        bytes[2],
        bytes[3],
        bytes[4],
        bytes[5],
    ])
}

/// The address that Docker gives to a container with this IPv4 address: 02:42 and the address's bytes.
/// Source: moby libnetwork netutils.GenerateMACFromIP.
pub fn mac_of_address(address: IpAddr) -> MacAddr {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            MacAddr([2, 0x42, a, b, c, d])
        }
        IpAddr::V6(ip) => mac(&ip.to_string(), "eth0"),
    }
}

/// The address of an undeclared host outside.
pub fn mac_of_external(address: IpAddr) -> MacAddr {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            MacAddr([6, 0x42, a, b, c, d])
        }
        IpAddr::V6(ip) => mac(&ip.to_string(), "external"),
    }
}

/// The node's end of a pod's veth pair: `veth` and eight hexadecimal digits.
/// Source: containernetworking/plugins pkg/ip/link_linux.go RandomVethName.
pub fn veth_name(pod: &str) -> Name {
    let bytes = digest(&["veth", pod]);
    let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    format!("veth{number:08x}").into()
}

/// A container id: 64 hexadecimal digits.
pub fn container_id(pod: &str) -> String {
    digest(&["sandbox", pod])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
