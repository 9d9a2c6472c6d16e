//! Pods while they are being worked on: the value and its view side by side, so that each is made once.

use crate::before::Before;
use hoplab_objects::view::{Pod, Typed};
use hoplab_objects::{Made, Object, Provenance, Store};
use hoplab_source::{Gvk, ObjectKey};
use serde_json::Value;
use std::sync::Arc;

/// A pod that is being worked on.
pub(crate) struct Draft {
    /// Its key, unless it is kept.
    new_key: ObjectKey,
    /// The whole object; changes are made to it and to `view` alike.
    pub value: Value,
    /// The view.
    pub view: Arc<Pod>,
    /// The whole pod as it was before, where nothing has changed: then `value` is not made.
    pub kept: Option<Arc<Object>>,
    /// The workload that it is one of, for spreading.
    pub owner: Option<Arc<ObjectKey>>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The document's object, whose cluster stays.
    pub written: Option<Arc<Object>>,
}

impl Draft {
    /// A pod that a controller makes.
    pub(crate) fn made(value: Value, view: Pod, owner: Arc<ObjectKey>, made: Arc<Made>) -> Self {
        let key = ObjectKey::new(
            "",
            "Pod",
            view.metadata.namespace.clone(),
            view.metadata.name.clone(),
        );
        let provenance = Provenance::Made(made);
        Self {
            new_key: key,
            value,
            view: Arc::new(view),
            kept: None,
            owner: Some(owner),
            provenance,
            written: None,
        }
    }

    /// A pod that stays as it was before.
    pub(crate) fn kept(pod: &Arc<Object>, view: &Arc<Pod>, owner: Option<Arc<ObjectKey>>) -> Self {
        Self {
            // Texts that are empty take no room.
            new_key: ObjectKey::new("", "", "", ""),
            value: Value::Null,
            view: Arc::clone(view),
            kept: Some(Arc::clone(pod)),
            owner,
            provenance: pod.provenance.clone(),
            written: pod.is_written().then(|| Arc::clone(pod)),
        }
    }

    /// Its key.
    pub(crate) fn key(&self) -> &ObjectKey {
        self.kept.as_ref().map_or(&self.new_key, |pod| &pod.key)
    }

    /// The view, to change it.
    pub(crate) fn view_mut(&mut self) -> &mut Pod {
        Arc::make_mut(&mut self.view)
    }

    /// Whether it counts as one of the pods that its controller wants.
    pub(crate) fn is_active(&self) -> bool {
        !self.view.has_ended() && !self.view.is_terminating()
    }
}

/// The pods of the documents.
pub(crate) fn written(store: &Store, before: &Before<'_>) -> Vec<Draft> {
    store
        .all::<Pod>()
        .map(|(object, view)| {
            let owner = view.metadata.controller().map(|owner| {
                let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
                Arc::new(ObjectKey::new(
                    group,
                    owner.kind.clone(),
                    object.key.namespace.clone(),
                    owner.name.clone(),
                ))
            });
            if let Some(pod) = before.written_pod(object) {
                let view = pod.view::<Pod>().expect("a pod's view is a Pod");
                return Draft::kept(&pod, view, owner);
            }
            Draft {
                new_key: object.key.clone(),
                value: (*object.value).clone(),
                view: Arc::clone(view),
                kept: None,
                owner,
                provenance: object.provenance.clone(),
                written: Some(object.clone()),
            }
        })
        .collect()
}

/// Puts the pods into the store.
pub(crate) fn keep(drafts: Vec<Draft>, store: &mut Store) {
    for draft in drafts {
        if let Some(pod) = draft.kept {
            store.insert_shared(pod);
            continue;
        }
        let typed = Typed::Pod(draft.view);
        let gvk = Gvk::new("v1", "Pod");
        let mut object = Object::assembled(draft.new_key, gvk, draft.value, typed, draft.provenance);
        object.cluster = draft.written.and_then(|written| written.cluster.clone());
        store.insert(object);
    }
}
