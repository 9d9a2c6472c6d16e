//! `/etc/resolv.conf` and `/etc/hosts` as a resolver reads them. Source: resolv.conf(5), hosts(5), glibc 2.41
//! resolv/res_init.c and resolv/res_query.c; musl 1.2.5 src/network/resolvconf.c and lookup_name.c.

use std::net::IpAddr;

/// glibc's MAXNS.
const MAX_NAMESERVERS: usize = 3;
/// glibc's RES_MAXNDOTS, RES_MAXRETRANS (seconds), RES_MAXRETRY.
const MAX_NDOTS: u32 = 15;
const MAX_TIMEOUT_SECONDS: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;

/// musl's limits of the same, in resolvconf.c.
const MUSL_MAX_TIMEOUT_SECONDS: u32 = 60;
const MUSL_MAX_ATTEMPTS: u32 = 10;

/// Whose resolver a program has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Libc {
    /// The GNU C library: Debian, Ubuntu, Red Hat and what is built on them. Taken for images that nothing is known of.
    #[default]
    Glibc,
    /// musl: Alpine and what is built on it.
    Musl,
}

/// Repositories whose images are built on Alpine whatever their tag.
static ON_ALPINE: &[&str] = &["alpine", "curl", "netshoot", "dnsutils-alpine"];

impl Libc {
    /// By an image's repository and tag: `alpine`, and tags that name Alpine or musl.
    pub fn of_image(image: &str) -> Self {
        let name = image.rsplit('/').next().unwrap_or(image);
        let name = name.split('@').next().unwrap_or(name);
        let (repository, tag) = name.split_once(':').unwrap_or((name, ""));
        let musl = ON_ALPINE.contains(&repository) || tag.contains("alpine") || tag.contains("musl");
        if musl { Self::Musl } else { Self::Glibc }
    }
}

/// A resolver's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Asked in this order.
    pub nameservers: Vec<IpAddr>,
    /// Their port.
    pub port: u16,
    /// Suffixes that are tried.
    pub search: Vec<String>,
    /// Names with at least so many dots are tried as they are first.
    pub ndots: u32,
    /// How long one server is waited for.
    pub timeout_seconds: u32,
    /// How often the list of servers is gone through.
    pub attempts: u32,
    /// `rotate`: look-ups begin with servers in turn.
    pub rotate: bool,
    /// `single-request`, `single-request-reopen`: AAAA is asked for once A is answered.
    pub single_request: bool,
    /// `use-vc`: over TCP.
    pub use_vc: bool,
    /// `edns0`: with an OPT record.
    pub edns0: bool,
    /// Who reads it.
    pub libc: Libc,
}

impl Default for ResolvConf {
    /// What glibc takes without a file: the local machine, ndots 1, 5 seconds, 2 attempts.
    fn default() -> Self {
        Self {
            nameservers: vec![IpAddr::from([127, 0, 0, 1])],
            port: 53,
            search: Vec::new(),
            ndots: 1,
            timeout_seconds: 5,
            attempts: 2,
            rotate: false,
            single_request: false,
            use_vc: false,
            edns0: false,
            libc: Libc::Glibc,
        }
    }
}

impl ResolvConf {
    /// Reads the file's text; lines that say nothing known are passed over, as glibc does.
    pub fn parse(text: &str) -> Self {
        Self::parse_as(Libc::Glibc, text)
    }

    /// Reads it as this library does: musl knows `ndots`, `attempts` and `timeout` alone, with limits of its own.
    pub fn parse_as(libc: Libc, text: &str) -> Self {
        let mut conf = Self {
            nameservers: Vec::new(),
            libc,
            ..Self::default()
        };
        for line in text.lines() {
            if line.starts_with(['#', ';']) {
                continue;
            }
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    if let Some(Ok(address)) = words.next().map(str::parse)
                        && conf.nameservers.len() < MAX_NAMESERVERS
                    {
                        conf.nameservers.push(address);
                    }
                }
                // The last of `search` and `domain` counts.
                Some("search") => conf.search = words.map(|w| w.trim_end_matches('.').to_owned()).collect(),
                Some("domain") => {
                    conf.search = words
                        .next()
                        .map(|w| w.trim_end_matches('.').to_owned())
                        .into_iter()
                        .collect();
                }
                Some("options") => words.for_each(|word| conf.option(word)),
                _ => {}
            }
        }
        conf.search.retain(|suffix| !suffix.is_empty());
        if conf.nameservers.is_empty() {
            conf.nameservers = Self::default().nameservers;
        }
        conf
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let musl = self.libc == Libc::Musl;
        match name {
            "rotate" => self.rotate = !musl,
            "single-request" | "single-request-reopen" => self.single_request = !musl,
            "use-vc" => self.use_vc = !musl,
            "edns0" => self.edns0 = !musl,
            _ => {}
        }
        let Ok(value) = value.parse::<u32>() else { return };
        let (most_timeout, most_attempts) = if musl {
            (MUSL_MAX_TIMEOUT_SECONDS, MUSL_MAX_ATTEMPTS)
        } else {
            (MAX_TIMEOUT_SECONDS, MAX_ATTEMPTS)
        };
        match name {
            "ndots" => self.ndots = value.min(MAX_NDOTS),
            "timeout" => self.timeout_seconds = value.clamp(1, most_timeout),
            "attempts" => self.attempts = value.clamp(1, most_attempts),
            _ => {}
        }
    }

    /// How long the round with this server (from 0) is waited for, in microseconds. glibc doubles the time with each
    /// server and shares it among them (res_send.c send_dg); musl shares the whole time among attempts (res_msend.c).
    pub fn wait_micros(&self, server: usize) -> u64 {
        let whole = u64::from(self.timeout_seconds) * 1_000_000;
        match self.libc {
            Libc::Musl => whole / u64::from(self.attempts.max(1)),
            Libc::Glibc if server == 0 => whole,
            Libc::Glibc => {
                let shared =
                    (u64::from(self.timeout_seconds) << server.min(8)) / self.nameservers.len().max(1) as u64;
                shared.max(1) * 1_000_000
            }
        }
    }

    /// The names that a look-up of `name` asks for, in order. With a final dot: only itself. With fewer dots than
    /// `ndots`: the search list first, then itself; else itself first.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let dots = name.bytes().filter(|b| *b == b'.').count();
        let searched = self.search.iter().map(|suffix| format!("{name}.{suffix}"));
        let first = dots >= usize::try_from(self.ndots).unwrap_or(usize::MAX);
        // musl never searches for a name with so many dots. Source: lookup_name.c name_from_dns_search.
        if first && self.libc == Libc::Musl {
            return vec![name.to_owned()];
        }
        let mut out: Vec<String> = Vec::with_capacity(self.search.len() + 1);
        if first {
            out.push(name.to_owned());
        }
        out.extend(searched);
        if !first {
            out.push(name.to_owned());
        }
        out
    }
}

/// What `/etc/hosts` says of a name: the first line that holds it. Names ignore case.
pub fn hosts_lookup(text: &str, name: &str) -> Option<IpAddr> {
    let name = name.trim_end_matches('.');
    text.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words
            .any(|word| word.eq_ignore_ascii_case(name))
            .then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";

    #[test]
    fn candidates_by_ndots_and_final_dot() {
        let conf = ResolvConf::parse(POD);
        assert_eq!(conf.ndots, 5);
        let list = |name: &str| conf.candidates(name).join(" ");
        assert_eq!(
            list("web"),
            "web.shop.svc.cluster.local web.svc.cluster.local web.cluster.local web"
        );
        assert_eq!(
            list("api.example.com"),
            "api.example.com.shop.svc.cluster.local api.example.com.svc.cluster.local api.example.com.cluster.local api.example.com"
        );
        assert_eq!(list("api.example.com."), "api.example.com");
        let few = ResolvConf { ndots: 1, ..conf };
        assert_eq!(few.candidates("api.example.com")[0], "api.example.com");
        assert_eq!(few.candidates("web")[0], "web.shop.svc.cluster.local");
    }

    #[test]
    fn options_are_capped_as_glibc_caps_them() {
        let conf = ResolvConf::parse(
            "options ndots:99 timeout:99 attempts:0\nnameserver 1.1.1.1\nnameserver x\n#nameserver 2.2.2.2",
        );
        assert_eq!((conf.ndots, conf.timeout_seconds, conf.attempts), (15, 30, 1));
        assert_eq!(conf.nameservers, vec![IpAddr::from([1, 1, 1, 1])]);
        assert_eq!(
            ResolvConf::parse("").nameservers,
            vec![IpAddr::from([127, 0, 0, 1])]
        );
    }

    #[test]
    fn musl_reads_and_searches_its_own_way() {
        let conf = ResolvConf::parse_as(
            Libc::Musl,
            &format!("{POD}options attempts:10 timeout:60 rotate edns0\n"),
        );
        assert_eq!(
            (conf.attempts, conf.timeout_seconds, conf.rotate, conf.edns0),
            (10, 60, false, false)
        );
        assert_eq!(conf.wait_micros(0), 6_000_000);
        let few = ResolvConf { ndots: 1, ..conf };
        assert_eq!(few.candidates("web.shop"), ["web.shop"]);
        assert_eq!(few.candidates("web").len(), 4);
        for (image, libc) in [
            ("alpine", Libc::Musl),
            ("docker.io/library/nginx:1.27-alpine", Libc::Musl),
            ("curlimages/curl:8.10.1", Libc::Musl),
            ("busybox:1.37", Libc::Glibc),
            ("busybox:1.37-musl", Libc::Musl),
            ("nginx:1.27", Libc::Glibc),
            ("localhost:5000/alpine@sha256:00", Libc::Musl),
        ] {
            assert_eq!(Libc::of_image(image), libc, "{image}");
        }
    }

    #[test]
    fn glibc_shares_the_time_among_servers() {
        let conf =
            ResolvConf::parse("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\noptions rotate");
        let waits: Vec<u64> = (0..3).map(|n| conf.wait_micros(n) / 1_000_000).collect();
        assert_eq!((waits, conf.rotate), (vec![5, 3, 6], true));
    }

    #[test]
    fn hosts_file_ignores_case_and_comments() {
        let text = "127.0.0.1 localhost\n10.0.0.9 App app.lab # old\n#10.0.0.8 x";
        assert_eq!(hosts_lookup(text, "APP"), Some(IpAddr::from([10, 0, 0, 9])));
        assert_eq!(hosts_lookup(text, "x"), None);
        assert_eq!(hosts_lookup(text, "old"), None);
    }
}
