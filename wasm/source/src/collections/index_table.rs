//! Where the entry with a hash stands: open addressing over places in a list. It knows no types.

/// The most entries that are looked through one by one.
const LIST: usize = 8;
/// A slot that holds nothing.
const FREE: u32 = u32::MAX;

/// The hashes of a list's entries, and how to find one.
#[derive(Clone, Default)]
pub(super) struct IndexTable {
    /// The hash of each entry.
    hashes: Vec<u32>,
    /// A power of two, at least twice as many as entries; empty for a short list. Each holds an entry's place, in the
    /// first free slot from the one that its hash names on.
    slots: Vec<u32>,
}

impl IndexTable {
    /// An empty one.
    pub(super) const fn new() -> Self {
        Self {
            hashes: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// The place of the entry with this hash that is the right one.
    pub(super) fn find(&self, hash: u32, is_right: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            let mut places = 0..self.hashes.len();
            return places.find(|&place| self.hashes[place] == hash && is_right(place));
        }
        let mut slot = self.start(hash);
        loop {
            let place = self.slots[slot];
            if place == FREE {
                return None;
            }
            if self.hashes[place as usize] == hash && is_right(place as usize) {
                return Some(place as usize);
            }
            slot = self.after(slot);
        }
    }

    /// Notes an entry that is put at the end of the list.
    pub(super) fn push(&mut self, hash: u32) {
        let place = self.hashes.len();
        self.hashes.push(hash);
        if place >= LIST && 2 * place >= self.slots.len() {
            self.rebuild();
        } else if !self.slots.is_empty() {
            self.note(place);
        }
    }

    /// Forgets an entry; the last takes its place.
    pub(super) fn swap_remove(&mut self, place: usize) {
        if self.slots.is_empty() {
            self.hashes.swap_remove(place);
            return;
        }
        let last = self.hashes.len() - 1;
        let moved = self.slot_of(last);
        let mut free = self.slot_of(place);
        self.slots[moved] = place as u32;
        // What stands behind and would have stood here comes here.
        let mut slot = self.after(free);
        while self.slots[slot] != FREE {
            let from = if slot == moved {
                last
            } else {
                self.slots[slot] as usize
            };
            let start = self.start(self.hashes[from]);
            let mask = self.slots.len() - 1;
            if (slot.wrapping_sub(start) & mask) >= (slot.wrapping_sub(free) & mask) {
                self.slots[free] = self.slots[slot];
                free = slot;
            }
            slot = self.after(slot);
        }
        self.slots[free] = FREE;
        self.hashes.swap_remove(place);
    }

    /// Forgets an entry; those behind it move up.
    pub(super) fn remove(&mut self, place: usize) {
        self.hashes.remove(place);
        self.rebuild();
    }

    /// Forgets all entries from a place on.
    pub(super) fn truncate(&mut self, count: usize) {
        self.hashes.truncate(count);
        self.rebuild();
    }

    fn start(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    /// The slot that holds a place.
    fn slot_of(&self, place: usize) -> usize {
        let mut slot = self.start(self.hashes[place]);
        while self.slots[slot] != place as u32 {
            slot = self.after(slot);
        }
        slot
    }

    fn note(&mut self, place: usize) {
        let mut slot = self.start(self.hashes[place]);
        while self.slots[slot] != FREE {
            slot = self.after(slot);
        }
        self.slots[slot] = place as u32;
    }

    fn rebuild(&mut self) {
        self.slots.clear();
        let count = self.hashes.len();
        if count > LIST {
            self.slots.resize((4 * count).next_power_of_two(), FREE);
            for place in 0..count {
                self.note(place);
            }
        }
    }
}
