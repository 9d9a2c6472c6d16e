//! A map in the order of its keys: leaves of a bounded length under one root.

use serde::ser::{Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;

/// The most entries of a leaf. An insertion moves half a leaf, and now and then half the root: with so many, hundreds
/// of thousands of entries are put in at random about as fast as into the standard library's.
const LEAF: usize = 32;

/// See `std::collections::BTreeMap`.
#[derive(Clone)]
pub struct BTreeMap<K, V> {
    /// No leaf is empty; keys rise from leaf to leaf.
    leaves: Vec<Vec<(K, V)>>,
}

/// A place: leaf, and entry of it.
type At = (usize, usize);

impl<K, V> BTreeMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self { leaves: Vec::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.leaves.iter().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.leaves.clear();
    }

    /// The entries, by key.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter {
            leaves: self.leaves.iter(),
            front: [].iter(),
            back: [].iter(),
        }
    }

    /// The entries, by key, values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.leaves
            .iter_mut()
            .flatten()
            .map(|(key, value)| (&*key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values, by key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The values, by key, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.leaves.iter_mut().flatten().map(|(_, value)| value)
    }

    /// The values, by key.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// The least key's entry.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// Keeps what the condition holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for leaf in &mut self.leaves {
            leaf.retain_mut(|(key, value)| keep(key, value));
        }
        self.leaves.retain(|leaf| !leaf.is_empty());
    }

    fn at(&self, (leaf, entry): At) -> &(K, V) {
        &self.leaves[leaf][entry]
    }

    fn at_mut(&mut self, (leaf, entry): At) -> &mut (K, V) {
        &mut self.leaves[leaf][entry]
    }

    /// Puts an entry where [`BTreeMap::place`] says that it belongs, and says where it is then.
    fn put(&mut self, (mut leaf, mut entry): At, key: K, value: V) -> At {
        if self.leaves.is_empty() {
            self.leaves.push(Vec::new());
        }
        if self.leaves[leaf].len() == LEAF {
            // What comes in order fills its leaves.
            let last = leaf + 1 == self.leaves.len() && entry == LEAF;
            let middle = if last { LEAF } else { LEAF / 2 };
            let rest = self.leaves[leaf].split_off(middle);
            self.leaves.insert(leaf + 1, rest);
            if last || entry > middle {
                leaf += 1;
                entry -= middle;
            }
        }
        self.leaves[leaf].insert(entry, (key, value));
        (leaf, entry)
    }
}

impl<K: Ord, V> BTreeMap<K, V> {
    /// Where a key is, or where it belongs.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<At, At>
    where
        K: Borrow<Q>,
    {
        // The last leaf that begins at or before the key.
        let begins = |leaf: &Vec<(K, V)>| leaf.first().is_some_and(|(first, _)| first.borrow() <= key);
        let leaf = self.leaves.partition_point(begins).saturating_sub(1);
        let entries = self.leaves.get(leaf).map_or(&[][..], Vec::as_slice);
        match entries.binary_search_by(|(other, _)| other.borrow().cmp(key)) {
            Ok(entry) => Ok((leaf, entry)),
            Err(entry) => Err((leaf, entry)),
        }
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The key that is held, and its value.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (key, value) = self.at(self.place(key).ok()?);
        Some((key, value))
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        Some(&mut self.at_mut(at).1)
    }

    /// Whether there is such a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Sets a key's value; gives back the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.at_mut(at).1, value)),
            Err(at) => {
                self.put(at, key, value);
                None
            }
        }
    }

    /// Takes an entry out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (leaf, entry) = self.place(key).ok()?;
        let (_, value) = self.leaves[leaf].remove(entry);
        if self.leaves[leaf].is_empty() {
            self.leaves.remove(leaf);
        }
        Some(value)
    }

    /// The entry of a key, there or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry {
            at: self.place(&key),
            map: self,
            key,
        }
    }

    /// The entries from a key on.
    pub fn range_from<Q: Ord + ?Sized>(&self, from: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let (Ok((leaf, entry)) | Err((leaf, entry))) = self.place(from);
        let mut leaves = self.leaves.iter();
        let begun = leaf.checked_sub(1).and_then(|before| leaves.nth(before));
        debug_assert!(begun.is_some() || leaf == 0, "the place is in the map");
        let front = leaves.next().map_or(&[][..], |leaf| &leaf[entry..]).iter();
        Iter {
            leaves,
            front,
            back: [].iter(),
        }
    }

    /// Takes over all of another map, which is empty then.
    pub fn append(&mut self, other: &mut Self) {
        self.extend(std::mem::take(other));
    }
}

/// See `std::collections::btree_map::Entry`.
pub struct Entry<'a, K, V> {
    map: &'a mut BTreeMap<K, V>,
    at: Result<At, At>,
    key: K,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The value, this one if there was none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value, the one made if there was none.
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        let at = match self.at {
            Ok(at) => at,
            Err(at) => self.map.put(at, self.key, value()),
        };
        &mut self.map.at_mut(at).1
    }

    /// The value, the default if there was none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

/// The entries of a map, by key.
pub struct Iter<'a, K, V> {
    leaves: std::slice::Iter<'a, Vec<(K, V)>>,
    front: std::slice::Iter<'a, (K, V)>,
    back: std::slice::Iter<'a, (K, V)>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            leaves: self.leaves.clone(),
            front: self.front.clone(),
            back: self.back.clone(),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.front.next() {
                return Some((key, value));
            }
            match self.leaves.next() {
                Some(leaf) => self.front = leaf.iter(),
                None => return self.back.next().map(|(key, value)| (key, value)),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ends = self.front.len() + self.back.len();
        let count = ends + self.leaves.clone().map(Vec::len).sum::<usize>();
        (count, Some(count))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.back.next_back() {
                return Some((key, value));
            }
            match self.leaves.next_back() {
                Some(leaf) => self.back = leaf.iter(),
                None => return self.front.next_back().map(|(key, value)| (key, value)),
            }
        }
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

/// The entries of a map that is taken apart, by key.
pub struct IntoIter<K, V> {
    leaves: std::vec::IntoIter<Vec<(K, V)>>,
    front: std::vec::IntoIter<(K, V)>,
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        loop {
            if let Some(entry) = self.front.next() {
                return Some(entry);
            }
            self.front = self.leaves.next()?.into_iter();
        }
    }
}

impl<K, V> IntoIterator for BTreeMap<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> IntoIter<K, V> {
        IntoIter {
            leaves: self.leaves.into_iter(),
            front: Vec::new().into_iter(),
        }
    }
}

impl<'a, K, V> IntoIterator for &'a BTreeMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: Ord, V> Extend<(K, V)> for BTreeMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for BTreeMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for BTreeMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> Default for BTreeMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for BTreeMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

// Which leaf holds an entry is no part of what the map is.
impl<K: PartialEq, V: PartialEq> PartialEq for BTreeMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for BTreeMap<K, V> {}

impl<K: Borrow<Q> + Ord, V, Q: Ord + ?Sized> Index<&Q> for BTreeMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is in the map")
    }
}

impl<K: Serialize, V: Serialize> Serialize for BTreeMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap as Std;

    /// Numbers that look random.
    fn numbers(count: usize) -> impl Iterator<Item = u32> {
        let mut number = 1_u32;
        (0..count).map(move |_| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            number >> 16
        })
    }

    #[test]
    fn it_is_what_the_standard_library_s_is() {
        for (count, most) in [
            (0, 1),
            (5, 9),
            (32, 99),
            (33, 99),
            (500, 300),
            (5_000, 65_536),
            (5_000, 40),
        ] {
            let mut map = BTreeMap::new();
            let mut std = Std::new();
            for (place, number) in numbers(count).enumerate() {
                let key = number % most;
                if place % 3 == 2 {
                    assert_eq!(map.remove(&(key / 2)), std.remove(&(key / 2)));
                } else if place % 5 == 1 {
                    *map.entry(key).or_insert(place) += 1;
                    *std.entry(key).or_insert(place) += 1;
                } else {
                    assert_eq!(map.insert(key, place), std.insert(key, place));
                }
                assert_eq!(map.get(&(place as u32)), std.get(&(place as u32)));
            }
            assert_eq!(map.len(), std.len());
            assert_eq!(map.is_empty(), std.is_empty());
            assert!(map.iter().eq(std.iter()));
            assert!(map.iter().rev().eq(std.iter().rev()));
            assert_eq!(map.iter().len(), std.len());
            for from in [0, 7, most / 2, most] {
                assert!(map.range_from(&from).eq(std.range(from..)), "from {from}");
            }
            assert!(map.leaves.iter().all(|leaf| (1..=LEAF).contains(&leaf.len())));
            let again: BTreeMap<_, _> = std.clone().into_iter().collect();
            assert_eq!(map, again);
            map.retain(|key, _| key % 7 != 0);
            std.retain(|key, _| key % 7 != 0);
            for value in map.values_mut() {
                *value *= 2;
            }
            for value in std.values_mut() {
                *value *= 2;
            }
            assert!(map.into_iter().eq(std.into_iter()));
        }
    }

    #[test]
    fn both_ends_meet() {
        let map: BTreeMap<u32, ()> = (0..100).map(|key| (key, ())).collect();
        let mut entries = map.keys().copied();
        let (mut front, mut back) = (Vec::new(), Vec::new());
        while let Some(key) = entries.next() {
            front.push(key);
            back.extend(entries.next_back());
        }
        assert!(front.into_iter().eq(0..50));
        assert!(back.into_iter().eq((50..100).rev()));
    }
}
