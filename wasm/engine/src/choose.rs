//! How random points of a run are decided: by a seed, or each way in turn.

use hoplab_kernel::sim::Chooser;
use hoplab_trace::Choice;

/// SplitMix64: a small generator whose numbers are the same on every platform.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone, Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    fn fraction(&mut self) -> f64 {
        // 53 bits: as many as a double holds exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Takes one way at each point, by a seed. A script fixes the first points, so that every way can be gone.
#[derive(Clone, Debug)]
pub struct Sample {
    numbers: SplitMix64,
    script: Vec<usize>,
    made: Vec<Choice>,
}

impl Sample {
    /// All points by `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self {
            numbers: SplitMix64(seed),
            script: Vec::new(),
            made: Vec::new(),
        }
    }

    /// The first points as `script` says, the first way at each one after it.
    pub fn scripted(script: Vec<usize>) -> Self {
        Self {
            numbers: SplitMix64(0),
            script,
            made: Vec::new(),
        }
    }

    fn pick(&mut self, ways: &[(String, f64)]) -> usize {
        let at = self.made.len();
        if !self.script.is_empty() {
            return self
                .script
                .get(at)
                .copied()
                .unwrap_or(0)
                .min(ways.len().saturating_sub(1));
        }
        let mut left = self.numbers.fraction();
        for (index, (_, share)) in ways.iter().enumerate() {
            if left < *share {
                return index;
            }
            left -= share;
        }
        ways.len().saturating_sub(1)
    }
}

impl Chooser for Sample {
    fn choose(&mut self, name: &dyn Fn() -> String, ways: &dyn Fn() -> Vec<(String, f64)>) -> usize {
        let ways = ways();
        let taken = self.pick(&ways);
        self.made.push(Choice {
            name: name(),
            taken,
            ways,
        });
        taken
    }

    fn choices(&self) -> &[Choice] {
        &self.made
    }
}

/// The script after `made`, in the order of a depth-first walk over all ways; `None` when all have been gone.
pub fn next_script(made: &[Choice]) -> Option<Vec<usize>> {
    let mut script: Vec<usize> = made.iter().map(|c| c.taken).collect();
    while let Some(last) = script.pop() {
        let ways = made.get(script.len()).map_or(0, |c| c.ways.len());
        if last + 1 < ways {
            script.push(last + 1);
            return Some(script);
        }
    }
    None
}

/// The share of all runs that took these choices.
pub fn weight(made: &[Choice]) -> f64 {
    made.iter()
        .map(|c| c.ways.get(c.taken).map_or(0.0, |(_, share)| *share))
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways() -> Vec<(String, f64)> {
        vec![("a".into(), 0.25), ("b".into(), 0.75)]
    }

    #[test]
    fn a_seed_decides_the_same_each_time_and_about_by_weight() {
        let mut first = Sample::seeded(7);
        let taken: Vec<usize> = (0..1000)
            .map(|_| first.choose(&|| String::new(), &ways))
            .collect();
        let mut again = Sample::seeded(7);
        assert!(taken.iter().all(|t| again.choose(&|| String::new(), &ways) == *t));
        let b = taken.iter().sum::<usize>();
        assert!((650..850).contains(&b), "{b} of 1000");
    }

    #[test]
    fn scripts_go_every_way_once_and_weights_add_up() {
        let mut script = Some(vec![0]);
        let mut total = 0.0;
        let mut runs = 0;
        while let Some(this) = script {
            let mut chooser = Sample::scripted(this);
            chooser.choose(&|| String::new(), &ways);
            chooser.choose(&|| String::new(), &ways);
            total += weight(chooser.choices());
            runs += 1;
            script = next_script(chooser.choices());
        }
        assert_eq!(runs, 4);
        assert!((total - 1.0).abs() < 1e-12);
    }
}
