//! A map and a set in the order of insertion.

use super::index_table::IndexTable;
use crate::order;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;

/// See the crate indexmap's `IndexMap`.
#[derive(Clone)]
pub struct IndexMap<K, V> {
    entries: Vec<(K, V)>,
    table: IndexTable,
}

/// See the crate indexmap's `IndexSet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSet<T: Hash + Eq>(IndexMap<T, ()>);

/// Mixes eight bytes at a time, as rustc's own hasher does; the same in every run. It withstands no one who looks for
/// keys that collide: whoever writes a world has only that world to slow down.
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0 >> 32
    }
}

fn hash_of<Q: Hash + ?Sized>(key: &Q) -> u32 {
    let mut mixer = Mixer(0);
    key.hash(&mut mixer);
    // The high half is the better mixed one, its high bits above all.
    (mixer.finish() as u32).rotate_left(10)
}

impl<K, V> IndexMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            table: IndexTable::new(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, first come first.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.entries.iter())
    }

    /// The entries, values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + DoubleEndedIterator + Clone {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator + Clone {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The values.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.entries.into_iter().map(|(_, value)| value)
    }

    /// The entry at a place.
    pub fn get_index(&self, place: usize) -> Option<(&K, &V)> {
        self.entries.get(place).map(|(key, value)| (key, value))
    }

    /// The entry at a place, its value to be changed.
    pub fn get_index_mut(&mut self, place: usize) -> Option<(&K, &mut V)> {
        self.entries.get_mut(place).map(|(key, value)| (&*key, value))
    }

    /// Takes out the entry at a place; those behind it move up.
    pub fn shift_remove_index(&mut self, place: usize) -> Option<(K, V)> {
        (place < self.len()).then(|| {
            self.table.remove(place);
            self.entries.remove(place)
        })
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Takes out all entries from a place on.
    pub fn truncate(&mut self, count: usize) {
        self.entries.truncate(count);
        self.table.truncate(count);
    }
}

impl<K: Hash + Eq, V> IndexMap<K, V> {
    /// Where a key stands.
    pub fn get_index_of<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        if self.entries.is_empty() {
            return None;
        }
        let entries = &self.entries;
        self.table
            .find(hash_of(key), &mut |place| entries[place].0.borrow() == key)
    }

    /// The value of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_index_of(key).map(|place| &self.entries[place].1)
    }

    /// The key that is held, and its value.
    pub fn get_key_value<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.get_index(self.get_index_of(key)?)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.get_index_of(key).map(|place| &mut self.entries[place].1)
    }

    /// Whether there is such a key.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get_index_of(key).is_some()
    }

    /// Sets a key's value, at the end if it is new; gives back the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.get_mut(&key) {
            Some(old) => Some(std::mem::replace(old, value)),
            None => {
                self.push(key, value);
                None
            }
        }
    }

    fn push(&mut self, key: K, value: V) {
        self.table.push(hash_of(&key));
        self.entries.push((key, value));
    }

    /// Takes an entry out; the last takes its place.
    pub fn swap_remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.get_index_of(key)?;
        self.table.swap_remove(place);
        Some(self.entries.swap_remove(place).1)
    }

    /// Takes an entry out; those behind it move up.
    pub fn shift_remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.shift_remove_index(self.get_index_of(key)?)
            .map(|(_, value)| value)
    }

    /// Puts a new entry at a place; those from there on move down.
    pub fn shift_insert(&mut self, place: usize, key: K, value: V) {
        debug_assert!(!self.contains_key(&key), "the key is new");
        self.entries.insert(place, (key, value));
        self.index_anew();
    }

    /// Sorts the entries, leaving equal ones in their order.
    pub fn sort_by(&mut self, mut compare: impl FnMut(&K, &V, &K, &V) -> Ordering) {
        order::sort_by(&mut self.entries, |(a, v), (b, w)| compare(a, v, b, w));
        self.index_anew();
    }

    /// The entry of a key, there or not.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry {
            place: self.get_index_of(&key),
            map: self,
            key,
        }
    }

    /// Keeps what the condition holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
        self.index_anew();
    }

    /// Moves an entry to another place; those between move up or down.
    pub fn move_index(&mut self, from: usize, to: usize) {
        let entry = self.entries.remove(from);
        self.entries.insert(to, entry);
        self.index_anew();
    }

    fn index_anew(&mut self) {
        self.table = IndexTable::new();
        for (key, _) in &self.entries {
            self.table.push(hash_of(key));
        }
    }
}

/// See the crate indexmap's `Entry`.
pub struct Entry<'a, K, V> {
    map: &'a mut IndexMap<K, V>,
    place: Option<usize>,
    key: K,
}

impl<'a, K: Hash + Eq, V> Entry<'a, K, V> {
    /// The value, this one if there was none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value, the one made if there was none.
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        let place = self.place.unwrap_or_else(|| {
            self.map.push(self.key, value());
            self.map.len() - 1
        });
        &mut self.map.entries[place].1
    }

    /// The value, the default if there was none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

/// The entries of a map, first come first.
pub struct Iter<'a, K, V>(std::slice::Iter<'a, (K, V)>);

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> IntoIterator for IndexMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a IndexMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: Hash + Eq, V> Extend<(K, V)> for IndexMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Hash + Eq, V> FromIterator<(K, V)> for IndexMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Hash + Eq, V, const N: usize> From<[(K, V); N]> for IndexMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> Default for IndexMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for IndexMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// As the crate's: their order does not matter.
impl<K: Hash + Eq, V: PartialEq> PartialEq for IndexMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Hash + Eq, V: Eq> Eq for IndexMap<K, V> {}

impl<K: Hash + Eq + Borrow<Q>, V, Q: Hash + Eq + ?Sized> Index<&Q> for IndexMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is in the map")
    }
}

impl<T: Hash + Eq> Default for IndexSet<T> {
    fn default() -> Self {
        Self(IndexMap::new())
    }
}

impl<T: Hash + Eq> IndexSet<T> {
    /// All, first come first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> + DoubleEndedIterator + Clone {
        self.0.keys()
    }

    /// Puts one in; `true`: it was not there.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, ()).is_none()
    }

    /// Whether it is there.
    pub fn contains<Q: Hash + Eq + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_a_list_that_is_looked_through_finds() {
        let mut number = 1_u32;
        for (count, most) in [(4, 5), (9, 7), (40, 20), (3_000, 700)] {
            let mut map: IndexMap<String, usize> = IndexMap::new();
            let mut list: Vec<(String, usize)> = Vec::new();
            for place in 0..count {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let key = ((number >> 16) % most).to_string();
                let at = list.iter().position(|(other, _)| *other == key);
                match place % 7 {
                    1 | 4 => {
                        let old = at.map(|at| list.swap_remove(at).1);
                        assert_eq!(map.swap_remove(&key), old);
                    }
                    2 if place % 9 == 0 => {
                        if let Some(at) = at {
                            list.remove(at);
                            map.shift_remove_index(at);
                        }
                    }
                    3 => {
                        *map.entry(key.clone()).or_insert(place) += 1;
                        match at {
                            Some(at) => list[at].1 += 1,
                            None => list.push((key, place + 1)),
                        }
                    }
                    _ => {
                        let old = map.insert(key.clone(), place);
                        assert_eq!(old, at.map(|at| list[at].1));
                        match at {
                            Some(at) => list[at].1 = place,
                            None => list.push((key, place)),
                        }
                    }
                }
            }
            assert!(map.iter().map(|(k, v)| (k.clone(), *v)).eq(list.iter().cloned()));
            for key in (0..most).map(|key| key.to_string()) {
                assert_eq!(
                    map.get_index_of(&key),
                    list.iter().position(|(other, _)| *other == key)
                );
            }
            map.retain(|key, _| !key.starts_with('1'));
            list.retain(|(key, _)| !key.starts_with('1'));
            if list.len() > 2 {
                map.move_index(2, 0);
                let entry = list.remove(2);
                list.insert(0, entry);
                let (key, value) = list.remove(1);
                assert_eq!(map.shift_remove(&key), Some(value));
                map.shift_insert(0, key.clone(), value);
                list.insert(0, (key, value));
                map.sort_by(|_, a, _, b| (a % 3).cmp(&(b % 3)));
                list.sort_by_key(|(_, value)| value % 3);
            }
            map.truncate(5);
            list.truncate(5);
            for (place, (key, value)) in list.iter().enumerate() {
                assert_eq!(map.get_index_of(key), Some(place));
                assert_eq!(map.get(key), Some(value));
            }
            assert!(map.into_iter().eq(list));
        }
    }

    #[test]
    fn addresses_and_numbers_that_follow_each_other_spread() {
        let low: std::collections::BTreeSet<u32> = (0..1024_u32)
            .map(|n| hash_of(&std::net::IpAddr::from((0x0af4_0000 + n).to_be_bytes())) & 4095)
            .collect();
        assert!(low.len() > 700, "{} of 1024", low.len());
        let low: std::collections::BTreeSet<u32> = (0..1024_u32).map(|n| hash_of(&n) & 4095).collect();
        assert!(low.len() > 700, "{} of 1024", low.len());
    }
}
