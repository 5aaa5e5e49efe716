//! A bounded queue in which everybody has a turn.
//!
//! Whoever floods it waits behind what they brought themselves: each of the others is served in between, and when it is full,
//! it is the flood that has to give way.

use std::collections::VecDeque;

/// What waits, in one line for each of those who brought it. There are as many lines as things at most, so they are searched.
pub(super) struct FairQueue<T> {
    /// The next to be served is first; no line is empty.
    lines: VecDeque<Line<T>>,
    /// How much waits in all lines together.
    length: usize,
    limit: usize,
}

/// What one of them brought, the oldest first.
struct Line<T> {
    whose: String,
    waiting: VecDeque<T>,
}

/// What became of something that was brought.
pub(super) enum Pushed<T> {
    /// It waits.
    In,
    /// It waits, in the place of this, the newest of the longest line.
    InsteadOf(T),
    /// There is no room, and nobody has more waiting than who brought it.
    Full(T),
}

impl<T> FairQueue<T> {
    /// An empty one, in which at most `limit` things wait.
    pub(super) fn new(limit: usize) -> Self {
        Self { lines: VecDeque::new(), length: 0, limit }
    }

    /// Lets something wait.
    pub(super) fn push(&mut self, whose: &str, item: T) -> Pushed<T> {
        let own = self.lines.iter().position(|line| line.whose == whose);
        let mut outcome = Pushed::In;
        if self.length >= self.limit {
            let own_length = own.and_then(|own| self.lines.get(own)).map_or(0, |line| line.waiting.len());
            let longest = self.lines.iter_mut().max_by_key(|line| line.waiting.len());
            // With more than one thing more the longest line is not empty afterwards, and not shorter than the own.
            match longest.filter(|line| line.waiting.len() > own_length + 1).and_then(|line| line.waiting.pop_back()) {
                Some(newest) => outcome = Pushed::InsteadOf(newest),
                None => return Pushed::Full(item),
            }
            self.length -= 1;
        }
        match own.and_then(|own| self.lines.get_mut(own)) {
            Some(line) => line.waiting.push_back(item),
            None => self.lines.push_back(Line { whose: whose.to_owned(), waiting: VecDeque::from([item]) }),
        }
        self.length += 1;
        outcome
    }

    /// Takes the next thing out that is wanted; each line shows its oldest alone. Who is served comes last from then on.
    pub(super) fn pop(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        let served = self.lines.iter().position(|line| line.waiting.front().is_some_and(&is_wanted))?;
        let mut line = self.lines.remove(served)?;
        let item = line.waiting.pop_front()?;
        self.length -= 1;
        if !line.waiting.is_empty() {
            self.lines.push_back(line);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue with so much of each.
    fn queue(limit: usize, brought: &[(&'static str, usize)]) -> FairQueue<(&'static str, usize)> {
        let mut queue = FairQueue::new(limit);
        for (whose, count) in brought {
            for number in 0..*count {
                assert!(matches!(queue.push(whose, (*whose, number)), Pushed::In));
            }
        }
        queue
    }

    /// In which order everything comes out.
    fn drain(queue: &mut FairQueue<(&'static str, usize)>) -> Vec<(&'static str, usize)> {
        let order = std::iter::from_fn(|| queue.pop(|_| true)).collect();
        assert_eq!((queue.length, queue.lines.len()), (0, 0));
        order
    }

    /// Or one address could make everybody wait for its hundred guesses.
    #[test]
    fn a_flood_of_one_delays_another_by_one_of_its_own() {
        let mut queue = queue(100, &[("flood", 50), ("ann", 2), ("bob", 1)]);
        let order = drain(&mut queue);
        assert_eq!(
            order.get(..6).unwrap(),
            [("flood", 0), ("ann", 0), ("bob", 0), ("flood", 1), ("ann", 1), ("flood", 2)]
        );
        assert_eq!(order.len(), 53);
    }

    #[test]
    fn a_full_queue_makes_the_longest_line_give_way_and_refuses_who_has_no_less() {
        let mut queue = queue(4, &[("flood", 3), ("ann", 1)]);
        assert!(matches!(queue.push("flood", ("flood", 3)), Pushed::Full(("flood", 3))));
        assert!(matches!(queue.push("bob", ("bob", 0)), Pushed::InsteadOf(("flood", 2))));
        // Two wait for the flood, and one would for ann after it: to and fro they would push each other out.
        assert!(matches!(queue.push("ann", ("ann", 1)), Pushed::Full(("ann", 1))));
        assert!(matches!(queue.push("eve", ("eve", 0)), Pushed::InsteadOf(("flood", 1))));
        assert!(matches!(queue.push("zoe", ("zoe", 0)), Pushed::Full(("zoe", 0))));
        assert_eq!(drain(&mut queue), [("flood", 0), ("ann", 0), ("bob", 0), ("eve", 0)]);
    }

    #[test]
    fn what_is_wanted_is_taken_over_what_is_not_but_never_out_of_its_own_line() {
        let mut queue = queue(10, &[("ann", 2), ("bob", 2)]);
        assert_eq!(queue.pop(|item| *item == ("ann", 1)), None);
        assert_eq!(queue.pop(|item| item.0 == "bob"), Some(("bob", 0)));
        assert_eq!(drain(&mut queue), [("ann", 0), ("bob", 1), ("ann", 1)]);
    }
}
