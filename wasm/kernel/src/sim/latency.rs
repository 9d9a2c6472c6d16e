//! How long things take. One table, so that the player's clock is the same everywhere; the figures are the order of
//! magnitude of a data centre's, not measurements.

use std::time::Duration;

/// From one end of a veth pair to the other, or through `lo`.
pub(super) const VETH: Duration = Duration::from_micros(5);
/// Between two machines of one network.
pub(super) const FABRIC: Duration = Duration::from_micros(50);
/// To or from a machine on the Internet.
pub(super) const INTERNET: Duration = Duration::from_millis(10);
