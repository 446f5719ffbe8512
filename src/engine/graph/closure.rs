//! Everything that can be reached, without limits.

use std::collections::HashSet;
use std::hash::Hash;

/// Things to visit, each once, the latest first. The visitor adds what it finds; its memory is a set of what was visited
/// and a list of what is still to be, so that neither depth nor repetition can harm it.
pub(in crate::engine) struct Closure<T> {
    next: Vec<T>,
    visited: HashSet<T>,
}

impl<T: Clone + Eq + Hash> Closure<T> {
    /// Begins at some roots.
    pub(in crate::engine) fn of(roots: impl IntoIterator<Item = T>) -> Self {
        Self { next: roots.into_iter().collect(), visited: HashSet::new() }
    }

    /// Adds what is to be visited, the last of it first. What was visited already is passed over.
    pub(in crate::engine) fn add(&mut self, found: impl IntoIterator<Item = T>) {
        self.next.extend(found);
    }

    /// The next to visit; `None` where all were.
    pub(in crate::engine) fn next(&mut self) -> Option<T> {
        loop {
            let next = self.next.pop()?;
            // Most are new, but where they are not, nothing is copied.
            if !self.visited.contains(&next) {
                self.visited.insert(next.clone());
                return Some(next);
            }
        }
    }

    /// Everything that was visited.
    pub(in crate::engine) fn into_visited(self) -> HashSet<T> {
        self.visited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_visited_once_and_in_depth_first() {
        let mut closure = Closure::of([1]);
        let mut order = Vec::new();
        while let Some(number) = closure.next() {
            order.push(number);
            // A graph in which everything is named twice.
            closure.add([2 * number, 2 * number, 2 * number + 1, 1].into_iter().filter(|next| *next < 8));
        }
        assert_eq!(order, [1, 3, 7, 6, 2, 5, 4]);
        assert_eq!(closure.into_visited(), (1..8).collect());
    }
}
