//! Allocation by hash: what asks for an address gets the same one whatever else there is, unless it is taken.

use crate::hash::fnv64;

/// The first free offset in `from..to`, beginning at one that the seed decides and going round. `None`: all taken.
pub(crate) fn offset(seed: &str, from: u64, to: u64, free: impl Fn(u64) -> bool) -> Option<u64> {
    let size = to.checked_sub(from).filter(|size| *size > 0)?;
    let start = fnv64(seed.as_bytes()) % size;
    // A full range is noticed without walking all of an IPv6 one.
    (0..size.min(1 << 20))
        .map(|step| from + (start + step) % size)
        .find(|offset| free(*offset))
}

/// Offset of the first that is given out to those who do not choose, in a range of this size; those below are left to
/// those who do. Source: pkg/registry/core/service/ipallocator calculateRangeOffset (v1.26+).
pub(crate) fn dynamic_band(size: u64, least: u64, most: u64, step: u64) -> u64 {
    if size <= least {
        0
    } else {
        (size / step).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_source::collections::BTreeSet;

    #[test]
    fn every_offset_is_found_once_and_then_none() {
        let mut taken = BTreeSet::new();
        for n in 0..10 {
            let found = offset(&format!("svc-{n}"), 5, 15, |o| !taken.contains(&o)).expect("ten are free");
            assert!((5..15).contains(&found) && taken.insert(found));
        }
        assert_eq!(offset("one more", 5, 15, |o| !taken.contains(&o)), None);
        assert_eq!(offset("nothing", 5, 5, |_| true), None);
    }

    #[test]
    fn bands_are_those_of_the_api_server() {
        // From calculateRangeOffset's own table: /24 -> 16, /16 and wider -> 256, /28 -> 0.
        assert_eq!(dynamic_band(254, 16, 256, 16), 16);
        assert_eq!(dynamic_band(65_534, 16, 256, 16), 256);
        assert_eq!(dynamic_band(14, 16, 256, 16), 0);
    }
}
