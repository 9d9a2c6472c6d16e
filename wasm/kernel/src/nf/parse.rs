//! Rules as `iptables` and `iptables-restore` read them: the inverse of [`super::save`].
//!
//! Source: iptables 1.8.9 iptables/xshared.c do_parse, extensions/libxt_*.c and libipt_*.c. What a rule asks or does that
//! is not modelled is kept in the words of `iptables-save`; a packet that meets it makes its verdict unknown.

mod target;
mod value;

pub use value::service_name;

use super::save::Family;
use super::{Match, Rule, Target};
use hoplab_source::decimal;
use hoplab_trace::Name;
use hoplab_wire::L4Protocol;
use ipnet::IpNet;
use value::{addr_type, bad, ct_states, icmp_type, masked, net, port, ports, protocol, tcp_flags};

/// Why a rule cannot be read, in iptables' words (after the program's name and version).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRule(pub String);

/// Match modules that exist and are not modelled.
const OTHER_MODULES: &str = "limit mac owner length ttl hl string time hashlimit connlimit connmark iprange u32 tos dscp \
    pkttype helper quota bpf cgroup socket rpfilter connbytes tcpmss cluster devgroup ipvs policy \
    realm nfacct esp ah dccp frag rt hbh dst eui64 ipv6header";

struct Reader<'a> {
    words: &'a [&'a str],
    at: usize,
    family: Family,
    modules: Vec<&'a str>,
    l4: Option<L4Protocol>,
    matches: Vec<Match>,
    target: Option<Target>,
    sources: Vec<IpNet>,
    destinations: Vec<IpNet>,
}

/// The rules that the words after a chain's name say: several where addresses are lists. `chains` says whether a chain
/// exists that is jumped to.
pub fn rules(words: &[&str], family: Family, chains: &dyn Fn(&str) -> bool) -> Result<Vec<Rule>, BadRule> {
    let mut reader = Reader {
        words,
        at: 0,
        family,
        modules: Vec::new(),
        l4: None,
        matches: Vec::new(),
        target: None,
        sources: Vec::new(),
        destinations: Vec::new(),
    };
    reader.read(chains)?;
    let all = |nets: &[IpNet]| -> Vec<Option<IpNet>> {
        if nets.is_empty() {
            vec![None]
        } else {
            nets.iter().copied().map(Some).collect()
        }
    };
    let mut rules = Vec::new();
    for src in all(&reader.sources) {
        for dst in all(&reader.destinations) {
            let mut matches = reader.matches.clone();
            for found in &mut matches {
                match found {
                    Match::Src { net, .. } => *net = src.unwrap_or(*net),
                    Match::Dst { net, .. } => *net = dst.unwrap_or(*net),
                    _ => {}
                }
            }
            rules.push(Rule::new(matches, reader.target.clone(), None));
        }
    }
    Ok(rules)
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn value(&mut self, option: &str) -> Result<&'a str, BadRule> {
        self.next()
            .ok_or_else(|| BadRule(format!("option \"{option}\" requires an argument")))
    }

    fn read(&mut self, chains: &dyn Fn(&str) -> bool) -> Result<(), BadRule> {
        let mut not = false;
        while let Some(word) = self.next() {
            if word == "!" {
                not = true;
                continue;
            }
            match word {
                "-s" | "--source" | "--src" | "-d" | "--destination" | "--dst" => self.address(word, not)?,
                "-i" | "--in-interface" => {
                    let name = self.value(word)?.into();
                    self.matches.push(Match::InInterface { not, name });
                }
                "-o" | "--out-interface" => {
                    let name = self.value(word)?.into();
                    self.matches.push(Match::OutInterface { not, name });
                }
                "-p" | "--protocol" | "--proto" => self.protocol(word, not)?,
                "-m" | "--match" => self.module(word, not)?,
                "-g" | "--goto" => self.target = Some(Target::Goto(self.value(word)?.into())),
                "-j" | "--jump" => {
                    let name = self.value(word)?;
                    self.target = Some(self.target_of(name, chains)?);
                }
                "-w" | "--wait" => {
                    if self
                        .words
                        .get(self.at)
                        .is_some_and(|next| next.parse::<u32>().is_ok())
                    {
                        self.at += 1;
                    }
                }
                "-c" | "--set-counters" => self.at += 2,
                "-n" | "--numeric" | "-v" | "--verbose" | "-x" => {}
                "-f" | "--fragment" => self
                    .matches
                    .push(Match::NotModelled(if not { "! -f" } else { "-f" }.into())),
                option if option.starts_with("--") => self.option(option, not)?,
                option if option.starts_with('-') => return bad(format!("unknown option \"{option}\"")),
                other => return bad(format!("Bad argument `{other}'")),
            }
            not = false;
        }
        Ok(())
    }

    fn address(&mut self, option: &str, not: bool) -> Result<(), BadRule> {
        let text = self.value(option)?;
        let family = self.family;
        let nets: Vec<IpNet> = text
            .split(',')
            .map(|text| net(text, family))
            .collect::<Result<_, _>>()?;
        if not && nets.len() > 1 {
            return bad("! not allowed with multiple source or destination IP addresses".to_owned());
        }
        let first = nets[0];
        let source = option.starts_with("-s") || option.starts_with("--s");
        if first.prefix_len() == 0 && !not {
            return Ok(());
        }
        if source {
            self.matches.push(Match::Src { not, net: first });
            self.sources = nets;
        } else {
            self.matches.push(Match::Dst { not, net: first });
            self.destinations = nets;
        }
        Ok(())
    }

    fn protocol(&mut self, option: &str, not: bool) -> Result<(), BadRule> {
        let text = self.value(option)?;
        if matches!(text, "all" | "0") {
            return Ok(());
        }
        match protocol(&text.to_ascii_lowercase()) {
            Some(protocol) => {
                self.l4 = (!not).then_some(protocol);
                self.matches.push(Match::Protocol { not, protocol });
            }
            None if matches!(
                text,
                "gre" | "esp" | "ah" | "igmp" | "udplite" | "ipip" | "ospf" | "vrrp"
            ) || text.parse::<u8>().is_ok() =>
            {
                let inverted = if not { "! " } else { "" };
                self.matches
                    .push(Match::NotModelled(format!("{inverted}-p {text}").into()));
            }
            None => return bad(format!("unknown protocol `{text}' specified")),
        }
        Ok(())
    }

    fn module(&mut self, option: &str, not: bool) -> Result<(), BadRule> {
        let name = self.value(option)?;
        if let Some(protocol) = protocol(name).filter(|_| name.parse::<u8>().is_err()) {
            let icmp = matches!(protocol, L4Protocol::Icmp | L4Protocol::Icmpv6);
            let bare = self.words[self.at.min(self.words.len())..]
                .iter()
                .find(|word| **word != "!")
                .is_none_or(|word| {
                    !word.contains("port") && !word.contains("syn") && !word.contains("tcp-flags")
                });
            self.l4 = self.l4.or(Some(protocol));
            if bare && !icmp {
                self.matches.push(Match::DstPort {
                    protocol,
                    not: false,
                    ports: (0, u16::MAX),
                });
            }
            self.modules.push(name);
            return Ok(());
        }
        match name {
            "icmp" | "icmp6" | "multiport" | "comment" | "conntrack" | "state" | "mark" | "statistic"
            | "addrtype" | "recent" | "physdev" | "set" => {
                self.modules.push(name);
                Ok(())
            }
            _ if OTHER_MODULES.split(' ').any(|known| known == name) => {
                let mut text = format!("-m {name}");
                self.rest_of_module(&mut text, not);
                self.matches.push(Match::NotModelled(text.into()));
                Ok(())
            }
            _ => bad(format!(
                "Couldn't load match `{name}':No such file or directory\n"
            )),
        }
    }

    /// The words of a module that nothing here reads.
    fn rest_of_module(&mut self, text: &mut String, not: bool) {
        if not {
            text.push_str(" !");
        }
        while let Some(word) = self.words.get(self.at) {
            let ends = matches!(
                *word,
                "-j" | "-g" | "-m" | "-s" | "-d" | "-i" | "-o" | "-p" | "--jump" | "--goto" | "--match"
            );
            if ends
                || (*word == "!"
                    && self
                        .words
                        .get(self.at + 1)
                        .is_none_or(|next| !next.starts_with("--")))
            {
                break;
            }
            text.push(' ');
            text.push_str(word);
            self.at += 1;
        }
    }

    fn has(&self, module: &str) -> bool {
        self.modules.contains(&module)
    }

    fn option(&mut self, option: &'a str, not: bool) -> Result<(), BadRule> {
        let of_ports = matches!(
            self.l4,
            Some(L4Protocol::Tcp | L4Protocol::Udp | L4Protocol::Sctp)
        );
        let found = match option {
            "--dport" | "--destination-port" | "--sport" | "--source-port" if of_ports => {
                let protocol = self.l4.unwrap_or(L4Protocol::Tcp);
                let ports = ports(self.value(option)?)?;
                if option.starts_with("--d") {
                    Match::DstPort { protocol, not, ports }
                } else {
                    Match::SrcPort { protocol, not, ports }
                }
            }
            "--syn" if self.l4 == Some(L4Protocol::Tcp) => Match::TcpFlags {
                not,
                mask: 0x17,
                set: 0x02,
            },
            "--tcp-flags" if self.l4 == Some(L4Protocol::Tcp) => Match::TcpFlags {
                not,
                mask: tcp_flags(self.value(option)?)?,
                set: tcp_flags(self.value(option)?)?,
            },
            "--icmp-type" if self.l4 == Some(L4Protocol::Icmp) => {
                let text = self.value(option)?;
                if matches!(text, "any" | "255") {
                    return Ok(());
                }
                let (kind, code) = icmp_type(text)?;
                Match::IcmpType { not, kind, code }
            }
            "--dports" | "--destination-ports" if self.has("multiport") && !not => Match::MultiportDst {
                ports: self
                    .value(option)?
                    .split(',')
                    .map(ports)
                    .collect::<Result<_, _>>()?,
            },
            "--comment" if self.has("comment") => Match::Comment(self.value(option)?.into()),
            "--ctstate" if self.has("conntrack") => Match::CtState {
                not,
                states: ct_states(self.value(option)?)?,
            },
            "--state" if self.has("state") => {
                let text = self.value(option)?;
                let meaning = Match::CtState {
                    not,
                    states: ct_states(text)?,
                };
                let inverted = if not { "! " } else { "" };
                Match::Written {
                    text: format!("-m state {inverted}--state {text}").into(),
                    meaning: Box::new(meaning),
                }
            }
            "--ctorigdst" if self.has("conntrack") && !not => Match::CtOrigDst {
                net: Some(net(self.value(option)?, self.family)?),
                port: None,
            },
            "--ctorigdstport" if self.has("conntrack") && !not => {
                let port = port(self.value(option)?)?;
                if let Some(Match::CtOrigDst { port: known, .. }) = self.matches.last_mut() {
                    *known = Some(port);
                    return Ok(());
                }
                Match::CtOrigDst {
                    net: None,
                    port: Some(port),
                }
            }
            "--mark" if self.has("mark") => {
                let text = self.value(option)?;
                let (value, mask) = masked(text).ok_or_else(|| {
                    BadRule(format!(
                        "mark: bad value for option \"--mark\", or out of range (\"{text}\")."
                    ))
                })?;
                Match::Mark { not, value, mask }
            }
            "--mode" if self.has("statistic") => match self.value(option)? {
                "random" => return Ok(()),
                mode => {
                    let mut text = format!("-m statistic --mode {mode}");
                    self.rest_of_module(&mut text, false);
                    Match::NotModelled(text.into())
                }
            },
            "--probability" if self.has("statistic") && !not => Match::StatisticRandom {
                probability: decimal::parse(self.value(option)?)
                    .ok_or_else(|| BadRule("statistic: bad value for option \"--probability\"".to_owned()))?,
            },
            "--dst-type" | "--src-type" if self.has("addrtype") => {
                let text = self.value(option)?;
                match addr_type(text) {
                    Some(kind) => Match::AddrType {
                        src: option == "--src-type",
                        not,
                        kind,
                        limit_iface_in: false,
                    },
                    None => Match::NotModelled(format!("-m addrtype {option} {text}").into()),
                }
            }
            "--limit-iface-in" if self.has("addrtype") => {
                if let Some(Match::AddrType { limit_iface_in, .. }) = self.matches.last_mut() {
                    *limit_iface_in = true;
                }
                return Ok(());
            }
            "--physdev-is-bridged" if self.has("physdev") => Match::PhysdevIsBridged { not },
            "--match-set" if self.has("set") => Match::Set {
                not,
                name: self.value(option)?.into(),
                flags: self.value(option)?.into(),
            },
            "--rcheck" | "--set" | "--update" | "--remove" | "--name" | "--rsource" | "--rdest"
                if self.has("recent") =>
            {
                self.at -= 1;
                self.recent(not)?
            }
            _ if self
                .modules
                .iter()
                .any(|m| matches!(*m, "multiport" | "conntrack" | "physdev"))
                && is_known(option) =>
            {
                let module = if option.starts_with("--physdev") {
                    "physdev"
                } else if option.starts_with("--ct") {
                    "conntrack"
                } else {
                    "multiport"
                };
                let inverted = if not { " !" } else { "" };
                let mut text = format!("-m {module}{inverted} {option}");
                if !option.starts_with("--physdev-is") {
                    text.push(' ');
                    text.push_str(self.value(option)?);
                }
                Match::NotModelled(text.into())
            }
            other => return bad(format!("unknown option \"{other}\"")),
        };
        self.matches.push(found);
        Ok(())
    }

    /// The options of `-m recent`, which belong together.
    fn recent(&mut self, not: bool) -> Result<Match, BadRule> {
        let (mut name, mut seconds, mut reap) = (Name::from("DEFAULT"), 0, false);
        let mut verb = "";
        let mut text = String::from("-m recent");
        let mut modelled = true;
        while let Some(word) = self
            .words
            .get(self.at)
            .copied()
            .filter(|word| word.starts_with("--"))
        {
            if matches!(word, "--jump" | "--goto" | "--match") {
                break;
            }
            self.at += 1;
            text.push(' ');
            text.push_str(word);
            match word {
                "--set" | "--rcheck" => verb = word,
                "--reap" => reap = true,
                "--rsource" => {}
                "--name" | "--seconds" | "--mask" | "--hitcount" => {
                    let value = self.value(word)?;
                    text.push(' ');
                    text.push_str(value);
                    match word {
                        "--name" => name = value.into(),
                        "--seconds" => seconds = value.parse().unwrap_or(0),
                        "--mask" => {
                            modelled &= matches!(
                                value,
                                "255.255.255.255" | "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                            )
                        }
                        _ => modelled = false,
                    }
                }
                _ => modelled = false,
            }
        }
        Ok(match verb {
            "--set" if modelled && !not => Match::RecentSet { name },
            "--rcheck" if modelled => Match::RecentCheck {
                not,
                name,
                seconds,
                reap,
            },
            _ => Match::NotModelled(text.into()),
        })
    }
}

/// Options of modules that are modelled in part.
fn is_known(option: &str) -> bool {
    [
        "--sports",
        "--source-ports",
        "--ports",
        "--dports",
        "--ctproto",
        "--ctstatus",
        "--ctexpire",
        "--ctdir",
        "--ctorigsrc",
        "--ctreplsrc",
        "--ctrepldst",
        "--ctorigdst",
        "--ctorigdstport",
        "--ctorigsrcport",
        "--physdev-in",
        "--physdev-out",
        "--physdev-is-in",
        "--physdev-is-out",
    ]
    .contains(&option)
}
