//! What the objects of `ip` have in common where they change something: the verb, and the words after it.

use super::USAGE;
use crate::output::Output;
use hoplab_wire::MacAddr;
use ipnet::IpNet;
use std::net::IpAddr;

/// The words of a request, taken one after the other.
pub(crate) struct Words<'a, 'w> {
    rest: std::slice::Iter<'a, &'w str>,
}

impl<'a, 'w> Words<'a, 'w> {
    pub fn of(args: &'a [&'w str]) -> Self {
        Self { rest: args.iter() }
    }

    pub fn next(&mut self) -> Option<&'w str> {
        self.rest.next().copied()
    }

    pub fn peek(&self) -> Option<&'w str> {
        self.rest.as_slice().first().copied()
    }

    /// The word after a keyword.
    pub fn value(&mut self) -> Result<&'w str, Output> {
        let end = || Output::failed(USAGE, "Command line is not complete. Try option \"help\"");
        self.next().ok_or_else(end)
    }

    /// The number after a keyword.
    pub fn number(&mut self, what: &str) -> Result<u32, Output> {
        let text = self.value()?;
        number(text).ok_or_else(|| wrong(text, &format!("Invalid \"{what}\" value\n")))
    }

    /// The address after a keyword; a family's name may stand before it.
    pub fn address(&mut self) -> Result<IpAddr, Output> {
        let mut text = self.value()?;
        if matches!(text, "inet" | "inet6") {
            text = self.value()?;
        }
        text.parse().map_err(|_| {
            let message = format!("Error: any valid address is expected rather than \"{text}\".");
            Output::failed(1, message)
        })
    }

    /// The link address after a keyword.
    pub fn mac(&mut self) -> Result<MacAddr, Output> {
        mac(self.value()?)
    }
}

/// A number, hexadecimal after `0x`.
pub(crate) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

pub(crate) fn mac(text: &str) -> Result<MacAddr, Output> {
    text.to_ascii_lowercase()
        .parse()
        .map_err(|_| Output::failed(1, format!("\"{text}\" is invalid lladdr.")))
}

/// `Error: argument "x" is wrong: why`. Source: iproute2 lib/utils.c invarg.
pub(crate) fn wrong(word: &str, why: &str) -> Output {
    Output::failed(USAGE, format!("Error: argument \"{word}\" is wrong: {why}"))
}

/// A word that the real tool has and this one does not.
pub(crate) fn not_modelled(of: &str, word: &str) -> Output {
    Output::not_modelled(USAGE, of, &format!("\"{word}\""))
}

/// `Not enough information: "dev" argument is required.`
pub(crate) fn no_device(status: i32) -> Output {
    Output::failed(status, "Not enough information: \"dev\" argument is required.")
}

/// A prefix of a route: `default`, an address alone, or with its length; its other bits stay as they were written.
pub(crate) fn destination(word: &str, v6: bool) -> Result<IpNet, Output> {
    match word {
        "default" | "any" | "all" if v6 => super::addr::prefix("::/0"),
        "default" | "any" | "all" => super::addr::prefix("0.0.0.0/0"),
        word => super::addr::prefix(word),
    }
}

/// The first of `verbs` that a word begins; iproute2 takes any beginning.
pub(crate) fn verb(word: &str, verbs: &[&'static str]) -> Option<&'static str> {
    verbs
        .iter()
        .find(|known| !word.is_empty() && known.starts_with(word))
        .copied()
}
