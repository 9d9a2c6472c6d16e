//! Why a derived thing exists.

use crate::{FieldPath, ObjectKey};
use std::borrow::Cow;

/// Why a route, rule, map entry, record or packet exists: the thread from any pixel to a line of YAML.
/// Shared as `Arc<Origin>`; the file and line are looked up from the object when it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The object that asked for it; `None` where only the writer's own configuration did.
    pub object: Option<ObjectKey>,
    /// The field of that object.
    pub field: FieldPath,
    /// Who wrote it: `kube-proxy`, `flanneld`, `kubelet`, `coredns`, a fault's name.
    pub writer: Cow<'static, str>,
}

impl Origin {
    /// What `writer` made for `field` of `object`.
    pub fn of(object: ObjectKey, field: &str, writer: &'static str) -> Self {
        Self {
            object: Some(object),
            field: FieldPath::parse(field),
            writer: Cow::Borrowed(writer),
        }
    }

    /// What `writer` made by itself.
    pub fn by(writer: &'static str) -> Self {
        Self {
            object: None,
            field: FieldPath::root(),
            writer: Cow::Borrowed(writer),
        }
    }
}
