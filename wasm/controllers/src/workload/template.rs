//! A pod template becomes a pod.

use super::Exported;
use crate::before::Before;
use crate::pods::Draft;
use hoplab_objects::view::{OwnerReference, Pod, PodTemplateSpec};
use hoplab_objects::{Copied, Made, Object};
use hoplab_source::{FieldPath, ObjectKey};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A template together with the object that holds it.
pub(super) struct Template<'o> {
    /// The workload.
    pub owner: &'o Arc<Object>,
    /// Its key, for its pods.
    key: Arc<ObjectKey>,
    /// Its template as it is read.
    pub view: &'o PodTemplateSpec,
    /// Where the template stands in the workload.
    path: FieldPath,
    /// Who makes the pods, and from what: the same for all of them.
    made: Arc<Made>,
    /// The world before, where the workload was the same.
    before: Option<&'o Before<'o>>,
}

impl<'o> Template<'o> {
    /// The template at `path` of a workload, of which `writer` makes pods.
    pub(super) fn of(
        owner: &'o Arc<Object>,
        view: &'o PodTemplateSpec,
        path: &str,
        writer: &'static str,
        before: &'o Before<'o>,
    ) -> Self {
        let below = |field: &str| format!("{path}.{field}");
        let copied = vec![
            Copied::new("", &owner.key, "metadata.name"),
            Copied::new("metadata.labels", &owner.key, &below("metadata.labels")),
            Copied::new("metadata.annotations", &owner.key, &below("metadata.annotations")),
            Copied::new("spec", &owner.key, &below("spec")),
        ];
        Self {
            owner,
            key: Arc::new(owner.key.clone()),
            view,
            path: FieldPath::parse(path),
            made: Arc::new(Made { writer, copied }),
            before: before.had(owner).then_some(before),
        }
    }

    /// The template as it is written.
    pub(super) fn value(&self) -> Value {
        self.owner.at(&self.path).cloned().unwrap_or_else(|| json!({}))
    }

    /// The pods that the workload made before, if it is the same and would make just these: so many, under names that
    /// nobody else had or has.
    pub(super) fn pods_before(&self, wanted: usize, exported: &Exported) -> Option<Vec<Draft>> {
        let pods = self
            .before
            .filter(|_| exported.as_before)?
            .made_pods(&self.key, &self.made)?;
        let kept = |pod: &Arc<Object>| {
            let view = pod.view::<Pod>()?;
            Some(Draft::kept(pod, view, Some(Arc::clone(&self.key))))
        };
        (pods.len() == wanted)
            .then(|| pods.iter().map(kept).collect())
            .flatten()
    }

    /// A pod with this name and, beside the template's, these labels. `adapt` changes the spec.
    pub(super) fn pod(
        &self,
        name: String,
        generate_name: Option<String>,
        labels: &[(&str, String)],
        adapt: impl FnOnce(&mut Map<String, Value>, &mut Pod),
    ) -> Draft {
        if let Some(pod) = self
            .before
            .and_then(|before| before.made_pod(&self.owner.key.namespace, &name, &self.made))
        {
            let view = pod.view::<Pod>().expect("a pod's view is a Pod");
            return Draft::kept(pod, view, Some(Arc::clone(&self.key)));
        }
        let mut template = self.value();
        let namespace = self.owner.key.namespace.clone();
        let reference = owner_reference(self.owner);
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(name));
        if let Some(generate_name) = &generate_name {
            metadata.insert("generateName".to_owned(), json!(generate_name));
        }
        metadata.insert("namespace".to_owned(), json!(namespace));
        for field in ["labels", "annotations"] {
            if let Some(value) = template
                .get_mut("metadata")
                .and_then(|metadata| metadata.get_mut(field))
            {
                metadata.insert(field.to_owned(), value.take());
            }
        }
        let mut view = Pod {
            metadata: self.view.metadata.clone(),
            spec: self.view.spec.clone(),
            ..Pod::default()
        };
        view.metadata.name = name;
        view.metadata.generate_name = generate_name.unwrap_or_default();
        view.metadata.namespace = namespace;
        if !labels.is_empty() {
            let map = metadata.entry("labels").or_insert_with(|| json!({}));
            for (key, value) in labels {
                if let Value::Object(map) = map {
                    map.insert((*key).to_owned(), json!(value));
                }
                view.metadata.labels.insert((*key).to_owned(), value.clone());
            }
        }
        metadata.insert("ownerReferences".to_owned(), json!([reference_json(&reference)]));
        view.metadata.owner_references = vec![reference];
        let mut spec = match template.get_mut("spec").map(Value::take) {
            Some(Value::Object(spec)) => spec,
            _ => Map::new(),
        };
        adapt(&mut spec, &mut view);
        // Built by hand: `json!` would copy what is moved here, for each of thousands of pods.
        let mut value = Map::new();
        value.insert("apiVersion".to_owned(), json!("v1"));
        value.insert("kind".to_owned(), json!("Pod"));
        value.insert("metadata".to_owned(), Value::Object(metadata));
        value.insert("spec".to_owned(), Value::Object(spec));
        let value = Value::Object(value);
        Draft::made(value, view, Arc::clone(&self.key), Arc::clone(&self.made))
    }
}

/// A reference that makes an object the controller of another.
pub(super) fn owner_reference(owner: &Object) -> OwnerReference {
    OwnerReference {
        api_version: owner.gvk.api_version(),
        kind: owner.key.kind.clone(),
        name: owner.key.name.clone(),
        uid: owner.metadata().uid.clone(),
        controller: true,
    }
}

/// The reference as the API shows it.
pub(crate) fn reference_json(reference: &OwnerReference) -> Value {
    let mut value = json!({
        "apiVersion": reference.api_version, "kind": reference.kind, "name": reference.name,
        "controller": true, "blockOwnerDeletion": true,
    });
    if let (Value::Object(map), false) = (&mut value, reference.uid.is_empty()) {
        map.insert("uid".to_owned(), json!(reference.uid));
    }
    value
}
