//! Kubernetes and hoplab objects: YAML with spans, typed views, validation, the store.
