//! The World: apply changes, reconcile, run requests.
