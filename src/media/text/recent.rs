//! Keeps what was made of the texts that were drawn lately: the same ones are drawn again with each picture.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

/// Values by key, of which those used least lately make room.
pub(super) struct Recent<K, V: ?Sized> {
    entries: HashMap<K, Entry<V>>,
    limit: usize,
    cost: usize,
    now: u64,
}

struct Entry<V: ?Sized> {
    value: Rc<V>,
    cost: usize,
    used: u64,
}

impl<K: Eq + Hash + Clone, V: ?Sized> Recent<K, V> {
    /// Keeps values that cost `limit` together.
    pub fn new(limit: usize) -> Recent<K, V> {
        Recent { entries: HashMap::new(), limit, cost: 0, now: 0 }
    }

    /// What is kept.
    pub fn get(&mut self, key: &K) -> Option<Rc<V>> {
        self.now += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.now;
        Some(entry.value.clone())
    }

    /// Of what is kept, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    /// Keeps a value, unless it alone costs too much.
    pub fn put(&mut self, key: K, value: Rc<V>, cost: usize) {
        if cost > self.limit {
            return;
        }
        self.now += 1;
        let replaced = self.entries.insert(key, Entry { value, cost, used: self.now });
        self.cost = self.cost + cost - replaced.map_or(0, |entry| entry.cost);
        while self.cost > self.limit {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| self.entries.remove(&key)) else { break };
            self.cost -= gone.cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_used_least_lately_makes_room() {
        let mut recent = Recent::new(30);
        for key in 0..3 {
            recent.put(key, Rc::new(key), 10);
        }
        assert!(recent.get(&0).is_some());
        recent.put(3, Rc::new(3), 10);
        let kept: Vec<u32> = (0..4).filter(|key| recent.get(key).is_some()).collect();
        assert_eq!(kept, [0, 2, 3]);
        recent.put(4, Rc::new(4), 31);
        assert!(recent.get(&4).is_none() && recent.get(&3).is_some(), "too large to be kept");
        recent.put(5, Rc::new(5), 30);
        assert!(recent.get(&5).is_some() && recent.get(&3).is_none());
    }
}
