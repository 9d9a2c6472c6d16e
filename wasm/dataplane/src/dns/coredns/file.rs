//! `file`: zones from master files in the ConfigMap. Models plugin/file (file.go, lookup.go) of CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, authoritative, falls_through, look_up, next, question};
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType};

/// How many aliases are followed inside a zone. Source: plugin/file/lookup.go (loop counter).
const LONGEST_CHAIN: usize = 8;

/// A zone.
pub(super) struct ZoneFile {
    pub origin: Name,
    /// In the order of the file.
    pub records: Vec<Record>,
}

/// The plug-in as configured: every `file` line of the block.
pub(super) struct File {
    pub zones: Vec<ZoneFile>,
    pub fallthrough: Option<Vec<Name>>,
}

/// What a zone says.
struct Found {
    rcode: Rcode,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    additionals: Vec<Record>,
    /// A zone below holds the name.
    delegated: bool,
    /// An alias that leads out of the zone.
    chase: Option<Name>,
}

impl ZoneFile {
    fn at<'z>(&'z self, name: &'z Name, record_type: RecordType) -> impl Iterator<Item = &'z Record> + 'z {
        self.records
            .iter()
            .filter(move |r| r.name == *name && r.record_type() == record_type)
    }

    fn exists(&self, name: &Name) -> bool {
        self.records.iter().any(|r| r.name.is_within(name))
    }

    fn soa(&self) -> Vec<Record> {
        self.at(&self.origin, RecordType::Soa).cloned().collect()
    }

    fn glue(&self, of: &[Record]) -> Vec<Record> {
        let mut out: Vec<Record> = Vec::new();
        for record in of {
            let target = match &record.data {
                RecordData::Ns(target) | RecordData::Mx { exchange: target, .. } => target,
                RecordData::Srv(srv) => &srv.target,
                _ => continue,
            };
            for kind in [RecordType::A, RecordType::Aaaa] {
                out.extend(self.at(target, kind).cloned());
            }
        }
        out
    }

    /// The name whose records answer for `name`: itself, or the wildcard below the closest name above it that exists
    /// (RFC 4592 §3.3).
    fn source_of(&self, name: &Name) -> Option<Name> {
        if self.exists(name) {
            return Some(name.clone());
        }
        let mut above = name.parent();
        while let Some(parent) = above.filter(|p| p.is_within(&self.origin)) {
            if parent == self.origin || self.exists(&parent) {
                let star = super::chain::name_in(&["*"], &parent);
                return self.exists(&star).then_some(star);
            }
            above = parent.parent();
        }
        None
    }

    fn find(&self, name: &Name, record_type: RecordType) -> Found {
        let mut found = Found {
            rcode: Rcode::NoError,
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
            delegated: false,
            chase: None,
        };
        let mut name = name.clone();
        for _ in 0..LONGEST_CHAIN {
            // A cut between the apex and the name: who to ask instead.
            let mut cut = Some(name.clone()).filter(|n| *n != self.origin);
            while let Some(at) = cut.filter(|n| n.is_within(&self.origin) && *n != self.origin) {
                let servers: Vec<Record> = self.at(&at, RecordType::Ns).cloned().collect();
                if !(servers.is_empty() || at == name && record_type == RecordType::Ds) {
                    found.additionals = self.glue(&servers);
                    found.authorities = servers;
                    found.delegated = true;
                    return found;
                }
                cut = at.parent();
            }
            let Some(source) = self.source_of(&name) else {
                found.rcode = Rcode::NxDomain;
                found.authorities = self.soa();
                return found;
            };
            let named = |record: &Record| Record {
                name: name.clone(),
                ..record.clone()
            };
            let hits: Vec<Record> = self.at(&source, record_type).map(named).collect();
            if !hits.is_empty() {
                found.additionals = self.glue(&hits);
                found.answers.extend(hits);
                found.authorities = self.at(&self.origin, RecordType::Ns).cloned().collect();
                if record_type == RecordType::Ns && name == self.origin {
                    found.authorities.clear();
                }
                return found;
            }
            let alias = self.at(&source, RecordType::Cname).next();
            let Some((alias, target)) = alias.and_then(|r| match &r.data {
                RecordData::Cname(target) => Some((named(r), target.clone())),
                _ => None,
            }) else {
                // A name without such records. Behind an alias the alias is what is known.
                found.authorities = self.soa();
                return found;
            };
            found.answers.push(alias);
            // Source: lookup.go: what the zone itself does not hold is looked up as if it were outside.
            if !target.is_within(&self.origin) || self.source_of(&target).is_none() {
                found.authorities = self.at(&self.origin, RecordType::Ns).cloned().collect();
                found.chase = Some(target);
                return found;
            }
            name = target;
        }
        found
    }
}

impl Plugin for File {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query);
        let holder = self
            .zones
            .iter()
            .filter(|zone| asked.name.is_within(&zone.origin))
            .max_by_key(|zone| zone.origin.labels().len());
        let Some(zone) = holder else {
            return next("file", cx, query, rest);
        };
        let mut found = zone.find(&asked.name, asked.record_type);
        if found.rcode == Rcode::NxDomain
            && found.answers.is_empty()
            && falls_through(self.fallthrough.as_ref(), &asked.name)
        {
            return next("file", cx, query, rest);
        }
        // Where the alias leads on is asked of the whole server. Source: plugin/file/lookup.go externalLookup.
        let last = found.answers.last().and_then(|r| match &r.data {
            RecordData::Cname(target) => Some(target.clone()),
            _ => None,
        });
        let onward = found.chase.take().or(if found.delegated { last } else { None });
        if let Some(target) = onward
            && let Some(more) = look_up(cx, query, &target, asked.record_type)?
        {
            if found.delegated && !more.answers.is_empty() {
                found.authorities = zone.at(&zone.origin, RecordType::Ns).cloned().collect();
                found.delegated = false;
            }
            found.answers.extend(more.answers);
        }
        let mut message = authoritative(query, found.rcode);
        message.flags.authoritative = !found.delegated;
        message.answers = found.answers;
        message.authorities = found.authorities;
        message.additionals = found.additionals;
        cx.notes
            .push(format!("the file plug-in answers from zone {}", zone.origin));
        Ok(Served::Answer(message))
    }
}
