//! `autopath`: the search list gone through by the server, after the first question of it. Models plugin/autopath of
//! CoreDNS 1.14.

use super::chain::{Ask, Context, Plugin, Served, is_written, next, question, zone_of};
use super::kubernetes::Kubernetes;
use hoplab_wire::dns::{Message, Name, Rcode, Record, RecordData, RecordType};
use std::sync::Arc;

/// Where the search list comes from.
pub(super) enum Search {
    /// A resolv.conf.
    Fixed(Vec<Name>),
    /// The asking pod's namespace, and CoreDNS's own resolv.conf.
    OfPod(Arc<Kubernetes>, Vec<Name>),
}

/// The plug-in as configured.
pub(super) struct Autopath {
    pub zones: Vec<Name>,
    pub search: Search,
}

impl Autopath {
    fn search(&self, cx: &Context<'_>, name: &Name) -> Vec<Name> {
        match &self.search {
            Search::Fixed(list) => list.clone(),
            Search::OfPod(kubernetes, own) => {
                let mut list = kubernetes.search_of(cx.remote.ip(), name);
                if !list.is_empty() {
                    list.extend(own.iter().cloned());
                }
                list
            }
        }
    }
}

impl Plugin for Autopath {
    fn serve(
        &self,
        cx: &mut Context<'_>,
        query: &Message,
        rest: &[Box<dyn Plugin>],
    ) -> Result<Served, Box<Ask>> {
        let asked = question(query).clone();
        let name = &asked.name;
        let mut search = Vec::new();
        if zone_of(&self.zones, name).is_some()
            && matches!(asked.record_type, RecordType::A | RecordType::Aaaa)
        {
            search = self.search(cx, name);
        }
        let Some(first) = search
            .first()
            .filter(|first| name.is_within(first) && name != *first)
        else {
            return next("autopath", cx, query, rest);
        };
        let base = name.labels()[..name.labels().len() - first.labels().len()].to_vec();
        search.push(Name::ROOT);
        let mut first_reply = None;
        for suffix in &search {
            let mut labels = base.clone();
            labels.extend(suffix.labels().iter().cloned());
            let Ok(tried) = Name::from_labels(labels) else {
                continue;
            };
            let mut inner = query.clone();
            if let Some(question) = inner.questions.first_mut() {
                question.name = tried;
            }
            let served = next("autopath", cx, &inner, rest)?;
            match served {
                Served::Failed(rcode, error) if !error.is_empty() => return Ok(Served::Failed(rcode, error)),
                Served::Answer(mut message)
                    if message.rcode() != Rcode::NxDomain && is_written(message.rcode()) =>
                {
                    let found = message.answers.iter().find(|r| r.name != *name).cloned();
                    if let Some(found) = found {
                        let alias = RecordData::Cname(found.name);
                        message
                            .answers
                            .insert(0, Record::new(name.clone(), found.ttl_seconds, alias));
                    }
                    message.questions.clone_from(&query.questions);
                    cx.notes
                        .push("the autopath plug-in went through the search list".to_owned());
                    return Ok(Served::Answer(message));
                }
                other => {
                    first_reply.get_or_insert(other);
                }
            }
        }
        Ok(first_reply.unwrap_or(Served::Failed(Rcode::ServFail, String::new())))
    }
}
