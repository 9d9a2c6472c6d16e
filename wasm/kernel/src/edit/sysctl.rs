//! Settings by their names in /proc/sys. Source: Linux Documentation/networking/ip-sysctl.rst.

use crate::NetNs;
use crate::conntrack::setting;
use crate::netns::Sysctls;
use hoplab_source::order;
use hoplab_trace::Name;

/// Why a setting is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSet {
    /// No such file in /proc/sys.
    Unknown,
    /// The kernel takes no such value.
    Invalid,
    /// The file exists; what it does is not modelled.
    NotModelled,
}

/// Per-interface settings of `net.ipv4.conf` that decide here.
const PER_DEVICE: [&str; 4] = ["rp_filter", "proxy_arp", "route_localnet", "forwarding"];

/// Files that a 6.12 kernel has and that nothing here reads, with their default.
static OTHERS: &[(&str, &str)] = &[
    ("net.ipv4.icmp_echo_ignore_all", "0"),
    ("net.ipv4.icmp_echo_ignore_broadcasts", "1"),
    ("net.ipv4.ip_default_ttl", "64"),
    ("net.ipv4.ip_local_port_range", "32768\t60999"),
    ("net.ipv4.ip_nonlocal_bind", "0"),
    ("net.ipv4.tcp_syncookies", "1"),
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    ("net.bridge.bridge-nf-call-arptables", "1"),
    ("net.core.somaxconn", "4096"),
];

/// A name with dots, whatever it was written with: `net/ipv4/ip_forward`, `/proc/sys/net/ipv4/ip_forward`. A dot in an
/// interface's name is written as a slash where the others are dots, as sysctl(8) does.
pub fn dotted(name: &str) -> String {
    let name = name.strip_prefix("/proc/sys/").unwrap_or(name);
    match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

fn per_device(name: &str) -> Option<(String, &str)> {
    let (device, setting) = name.strip_prefix("net.ipv4.conf.")?.rsplit_once('.')?;
    Some((device.replace('/', "."), setting))
}

fn has_device(netns: &NetNs, device: &str) -> bool {
    matches!(device, "all" | "default") || netns.interfaces.contains_key(device)
}

fn bit(on: bool) -> String {
    u8::from(on).to_string()
}

/// The value of a setting; `None`: there is no such file.
pub fn value(netns: &NetNs, name: &str) -> Option<String> {
    let name = dotted(name);
    let s = &netns.sysctls;
    if let Some((device, setting)) = per_device(&name) {
        if !has_device(netns, &device) {
            return None;
        }
        return match setting {
            "rp_filter" => Some(s.rp_filter.get(&device).copied().unwrap_or(0).to_string()),
            "proxy_arp" => Some(bit(s.proxy_arp.contains(&device))),
            "route_localnet" => Some(bit(s.route_localnet)),
            "forwarding" => Some(bit(s.ip_forward)),
            _ => None,
        };
    }
    if let Some(index) = setting::index(&name) {
        return Some(setting::value(&s.conntrack, index).to_string());
    }
    match name.as_str() {
        "net.ipv4.ip_forward" => Some(bit(s.ip_forward)),
        "net.ipv6.conf.all.forwarding" => Some(bit(s.ipv6_forwarding)),
        "net.bridge.bridge-nf-call-iptables" => Some(bit(s.bridge_nf_call_iptables)),
        "net.ipv4.fib_multipath_hash_policy" => Some(s.fib_multipath_hash_policy.to_string()),
        "net.ipv4.tcp_syn_retries" => Some(s.tcp_syn_retries.to_string()),
        "net.ipv4.tcp_syn_linear_timeouts" => Some(s.tcp_syn_linear_timeouts.to_string()),
        other => {
            let found = OTHERS.iter().find(|(known, _)| *known == other);
            found.map(|(_, default)| (*default).to_owned())
        }
    }
}

/// The settings there are, by name.
pub fn names(netns: &NetNs) -> Vec<String> {
    let mut names: Vec<String> = [
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
        "net.bridge.bridge-nf-call-iptables",
        "net.ipv4.fib_multipath_hash_policy",
        "net.ipv4.tcp_syn_retries",
        "net.ipv4.tcp_syn_linear_timeouts",
    ]
    .into_iter()
    .chain(OTHERS.iter().map(|(name, _)| *name))
    .map(str::to_owned)
    .collect();
    names.extend(
        setting::SETTINGS
            .iter()
            .map(|(name, _)| format!("net.netfilter.nf_conntrack_{name}")),
    );
    let devices = netns.interfaces.keys().map(|name| name.replace('.', "/"));
    for device in ["all".to_owned(), "default".to_owned()]
        .into_iter()
        .chain(devices)
    {
        names.extend(
            PER_DEVICE
                .iter()
                .map(|setting| format!("net.ipv4.conf.{device}.{setting}")),
        );
    }
    order::sort(&mut names);
    names
}

/// Writes a setting.
pub fn set(netns: &mut NetNs, name: &str, value: &str) -> Result<(), NotSet> {
    let name = dotted(name);
    let number: Option<u32> = value.trim().parse().ok();
    let number = |most: u32| number.filter(|n| *n <= most).ok_or(NotSet::Invalid);
    if let Some((device, setting)) = per_device(&name) {
        if !has_device(netns, &device) {
            return Err(NotSet::Unknown);
        }
        return of_device(&mut netns.sysctls, device, setting, &number);
    }
    let s = &mut netns.sysctls;
    if let Some(index) = setting::index(&name) {
        let value = number(u32::MAX)?;
        if index >= setting::FIRST_FIXED && value != setting::SETTINGS[index].1 {
            return Err(NotSet::NotModelled);
        }
        s.conntrack.retain(|(at, _)| *at != index);
        s.conntrack.push((index, value));
        return Ok(());
    }
    match name.as_str() {
        "net.ipv4.ip_forward" => s.ip_forward = number(u32::MAX)? != 0,
        "net.ipv6.conf.all.forwarding" => s.ipv6_forwarding = number(u32::MAX)? != 0,
        "net.bridge.bridge-nf-call-iptables" => s.bridge_nf_call_iptables = number(u32::MAX)? != 0,
        "net.ipv4.fib_multipath_hash_policy" => match number(3)? {
            // 2 looks into tunnels, 3 at fields of one's choice.
            2.. => return Err(NotSet::NotModelled),
            policy => s.fib_multipath_hash_policy = byte(policy),
        },
        "net.ipv4.tcp_syn_retries" => s.tcp_syn_retries = byte(number(127)?),
        "net.ipv4.tcp_syn_linear_timeouts" => s.tcp_syn_linear_timeouts = byte(number(127)?),
        other => {
            let known = OTHERS.iter().find(|(known, _)| *known == other);
            let (_, default) = known.ok_or(NotSet::Unknown)?;
            // Writing what it is already changes nothing.
            if *default != value.trim() {
                return Err(NotSet::NotModelled);
            }
        }
    }
    Ok(())
}

fn of_device(
    s: &mut Sysctls,
    device: String,
    setting: &str,
    number: &dyn Fn(u32) -> Result<u32, NotSet>,
) -> Result<(), NotSet> {
    match setting {
        "rp_filter" => {
            s.rp_filter.insert(device, byte(number(255)?));
        }
        "proxy_arp" => {
            if number(u32::MAX)? == 0 {
                s.proxy_arp.remove(&device);
            } else {
                s.proxy_arp.insert(device);
            }
        }
        "route_localnet" => s.route_localnet = number(u32::MAX)? != 0,
        "forwarding" if device == "all" => s.ip_forward = number(u32::MAX)? != 0,
        "forwarding" => return Err(NotSet::NotModelled),
        _ => return Err(NotSet::Unknown),
    }
    Ok(())
}

fn byte(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// The path of a setting under /proc/sys.
pub fn path(name: &str) -> Name {
    dotted(name)
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect::<String>()
        .into()
}
