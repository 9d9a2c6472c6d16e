//! Records as text: master files and single lines. Source: RFC 1035 §5, RFC 2308 §4 ($TTL); miekg/dns scan.go for
//! what is taken for granted (TTL 3600, units such as `1h`).

use hoplab_wire::dns::{CLASS_IN, Name, Record, RecordData, RecordType, Soa, Srv};

/// The TTL of a record in a file that says none.
const DEFAULT_TTL: u32 = 3600;

struct Token {
    text: String,
    quoted: bool,
}

/// One entry: the words of a line, or of several in parentheses.
struct Entry {
    /// Begins with a blank: the owner is that of the entry before.
    indented: bool,
    line: u32,
    words: Vec<Token>,
}

fn entries(text: &str) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    let mut open = 0_u32;
    for (number, line) in (1..).zip(text.lines()) {
        if open == 0 {
            out.push(Entry {
                indented: line.starts_with([' ', '\t']),
                line: number,
                words: Vec::new(),
            });
        }
        let Some(entry) = out.last_mut() else { continue };
        let mut chars = line.chars().peekable();
        let mut word = String::new();
        let flush = |word: &mut String, words: &mut Vec<Token>, quoted: bool| {
            if quoted || !word.is_empty() {
                words.push(Token {
                    text: std::mem::take(word),
                    quoted,
                });
            }
        };
        while let Some(c) = chars.next() {
            match c {
                ';' => break,
                '(' | ')' => {
                    flush(&mut word, &mut entry.words, false);
                    open = if c == '(' {
                        open + 1
                    } else {
                        open.saturating_sub(1)
                    };
                }
                '"' => {
                    flush(&mut word, &mut entry.words, false);
                    while let Some(c) = chars.next().filter(|c| *c != '"') {
                        word.push(c);
                        if c == '\\' {
                            word.extend(chars.next());
                        }
                    }
                    flush(&mut word, &mut entry.words, true);
                }
                '\\' => {
                    word.push(c);
                    word.extend(chars.next());
                }
                c if c.is_whitespace() => flush(&mut word, &mut entry.words, false),
                c => word.push(c),
            }
        }
        flush(&mut word, &mut entry.words, false);
    }
    out.retain(|entry| !entry.words.is_empty());
    out
}

/// `3600`, or with units: `1h30m`. Source: BIND's master file extension.
fn seconds(text: &str) -> Option<u32> {
    let (mut total, mut number, mut any) = (0_u32, String::new(), false);
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            any = true;
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u32>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    if !number.is_empty() {
        total = total.checked_add(number.parse().ok()?)?;
    }
    any.then_some(total)
}

/// A name as a file writes it: `@`, absolute with a final dot, else below the origin.
pub(super) fn absolute(text: &str, origin: &Name) -> Option<Name> {
    match text {
        "@" => Some(origin.clone()),
        text if text.ends_with('.') => Name::parse(text).ok(),
        text => Name::parse(text).ok()?.below(origin).ok(),
    }
}

/// The bytes of a character string: escapes undone.
fn text_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digits: Vec<u8> = bytes.clone().take(3).take_while(u8::is_ascii_digit).collect();
        let number = std::str::from_utf8(&digits)
            .ok()
            .filter(|d| d.len() == 3)
            .and_then(|d| d.parse().ok());
        match number {
            Some(number) => {
                out.push(number);
                bytes.nth(2);
            }
            None => out.extend(bytes.next()),
        }
    }
    out
}

/// A record's data from its words.
fn data(record_type: RecordType, words: &[Token], origin: &Name) -> Option<RecordData> {
    let word = |index: usize| words.get(index).map(|w| w.text.as_str());
    let name = |index: usize| absolute(word(index)?, origin);
    Some(match record_type {
        RecordType::A => RecordData::A(word(0)?.parse().ok()?),
        RecordType::Aaaa => RecordData::Aaaa(word(0)?.parse().ok()?),
        RecordType::Cname => RecordData::Cname(name(0)?),
        RecordType::Ns => RecordData::Ns(name(0)?),
        RecordType::Ptr => RecordData::Ptr(name(0)?),
        RecordType::Mx => RecordData::Mx {
            preference: word(0)?.parse().ok()?,
            exchange: name(1)?,
        },
        RecordType::Srv => RecordData::Srv(Srv {
            priority: word(0)?.parse().ok()?,
            weight: word(1)?.parse().ok()?,
            port: word(2)?.parse().ok()?,
            target: name(3)?,
        }),
        RecordType::Txt => {
            word(0)?;
            RecordData::Txt(words.iter().map(|w| text_bytes(&w.text)).collect())
        }
        RecordType::Soa => RecordData::Soa(Soa {
            mname: name(0)?,
            rname: name(1)?,
            serial: word(2)?.parse().ok()?,
            refresh_seconds: seconds(word(3)?)?,
            retry_seconds: seconds(word(4)?)?,
            expire_seconds: seconds(word(5)?)?,
            minimum_seconds: seconds(word(6)?)?,
        }),
        RecordType::Hinfo => {
            let strings = [text_bytes(word(0)?), text_bytes(word(1)?)];
            let mut bytes = Vec::new();
            for string in strings {
                bytes.push(u8::try_from(string.len()).ok()?);
                bytes.extend(string);
            }
            RecordData::Opaque { record_type, bytes }
        }
        RecordType::Caa => {
            let (tag, value) = (word(1)?, text_bytes(word(2)?));
            let mut bytes = vec![word(0)?.parse().ok()?, u8::try_from(tag.len()).ok()?];
            bytes.extend(tag.bytes().chain(value));
            RecordData::Opaque { record_type, bytes }
        }
        _ => return None,
    })
}

/// A record from the words of an entry.
fn record(entry: &Entry, before: Option<&Name>, origin: &Name, ttl: u32) -> Option<Record> {
    let mut words = entry.words.as_slice();
    let owner = if entry.indented {
        before?.clone()
    } else {
        let (first, rest) = words.split_first()?;
        words = rest;
        absolute(&first.text, origin)?
    };
    let (mut ttl_seconds, mut class) = (ttl, CLASS_IN);
    // TTL and class come in any order before the type.
    loop {
        let (first, rest) = words.split_first()?;
        if first.quoted {
            return None;
        }
        words = rest;
        match first.text.to_ascii_uppercase().as_str() {
            "IN" => {}
            "CH" => class = 3,
            text => match seconds(text) {
                Some(given) => ttl_seconds = given,
                None => {
                    let data = data(text.parse().ok()?, words, origin)?;
                    return Some(Record {
                        name: owner,
                        class,
                        ttl_seconds,
                        data,
                    });
                }
            },
        }
    }
}

/// One record on a line of its own, names absolute.
pub(super) fn line(text: &str, origin: &Name) -> Option<Record> {
    let entries = entries(text.trim());
    match entries.as_slice() {
        [entry] => record(entry, None, origin, DEFAULT_TTL),
        _ => None,
    }
}

/// The records of a master file, and the line of the first entry that cannot be read.
pub(super) fn file(text: &str, zone: &Name) -> Result<Vec<Record>, u32> {
    let mut origin = zone.clone();
    let mut ttl = DEFAULT_TTL;
    let mut out: Vec<Record> = Vec::new();
    for entry in entries(text) {
        let second = entry.words.get(1).map(|w| w.text.as_str());
        match (entry.words[0].text.as_str(), second) {
            ("$ORIGIN", Some(name)) => origin = absolute(name, &origin).ok_or(entry.line)?,
            ("$TTL", Some(given)) => ttl = seconds(given).ok_or(entry.line)?,
            (word, _) if word.starts_with('$') => return Err(entry.line),
            _ => {
                let before = out.last().map(|r| &r.name);
                let record = record(&entry, before, &origin, ttl).ok_or(entry.line)?;
                out.push(record);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_file_reads() {
        let text = "$ORIGIN example.org.\n; text\n$TTL 1h\n@ IN SOA ns.dns. admin.dns. (\n 2017 ; serial\n 7200 3600 2w 3600 )\n  3600 IN NS a.iana.\n IN NS b.iana.\nshort 1 IN A 127.0.0.3\n*.w 30m TXT \"a b\" c\\\"d\nsrv IN SRV 8080 10 10 @\n";
        let zone = Name::parse("example.org").expect("a name");
        let records = file(text, &zone).expect("reads");
        let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "example.org.\t3600\tIN\tSOA\tns.dns. admin.dns. 2017 7200 3600 1209600 3600",
                "example.org.\t3600\tIN\tNS\ta.iana.",
                "example.org.\t3600\tIN\tNS\tb.iana.",
                "short.example.org.\t1\tIN\tA\t127.0.0.3",
                "*.w.example.org.\t1800\tIN\tTXT\t\"a b\" \"c\\\"d\"",
                "srv.example.org.\t3600\tIN\tSRV\t8080 10 10 example.org.",
            ]
        );
        assert_eq!(file("a IN A 1.2.3.4\nb IN A x\n", &zone), Err(2));
        assert!(line("a.b. 60 IN A 1.2.3", &Name::ROOT).is_none());
        assert!(line("a.b.", &Name::ROOT).is_none());
    }
}
