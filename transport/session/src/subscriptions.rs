//! Who is subscribed to an object's signals (spec 6.2).

use std::collections::{BTreeMap, HashMap};

use keyway_value::{ActionId, Link};

/// The subscriptions of one object. A link is chosen by its subscriber and belongs to its connection `C` (6.6).
///
/// Peers choose links and their number: each operation takes logarithmic time, and the end of a connection only the time of
/// its own links.
#[derive(Debug)]
pub struct Subscriptions<C, T> {
    links: BTreeMap<(C, Link), (ActionId, u64)>,
    /// Subscribers of each signal in the order in which they came, which is the order in which they are told.
    signals: HashMap<ActionId, BTreeMap<u64, T>>,
    next: u64,
}

impl<C: Copy + Ord, T> Subscriptions<C, T> {
    /// Subscribes. A link that is in use is replaced (6.7), where libqi leaks the earlier subscription.
    pub fn register(&mut self, connection: C, link: Link, signal: ActionId, subscriber: T) {
        self.unregister(connection, link);
        let place = self.next;
        self.next += 1;
        self.links.insert((connection, link), (signal, place));
        self.signals.entry(signal).or_default().insert(place, subscriber);
    }

    /// Ends a subscription.
    pub fn unregister(&mut self, connection: C, link: Link) -> Option<T> {
        let (signal, place) = self.links.remove(&(connection, link))?;
        let subscribers = self.signals.get_mut(&signal)?;
        let subscriber = subscribers.remove(&place);
        if subscribers.is_empty() {
            self.signals.remove(&signal);
        }
        subscriber
    }

    /// Ends all subscriptions of a connection (6.11).
    pub fn remove_connection(&mut self, connection: C) -> Vec<T> {
        let all = (connection, Link(0))..=(connection, Link(u64::MAX));
        let links: Vec<_> = self.links.range(all).map(|((_, link), _)| *link).collect();
        links.into_iter().filter_map(|link| self.unregister(connection, link)).collect()
    }

    /// The subscribers of a signal.
    pub fn subscribers(&self, signal: ActionId) -> impl Iterator<Item = &T> {
        self.signals.get(&signal).into_iter().flat_map(BTreeMap::values)
    }

    /// How many subscriptions there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

impl<C, T> Default for Subscriptions<C, T> {
    fn default() -> Self {
        Self { links: BTreeMap::new(), signals: HashMap::new(), next: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNAL: ActionId = ActionId(106);

    fn told(subscriptions: &Subscriptions<u32, &'static str>, signal: ActionId) -> Vec<&'static str> {
        subscriptions.subscribers(signal).copied().collect()
    }

    #[test]
    fn a_link_in_use_is_replaced_and_belongs_to_its_connection() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.register(1, Link(5), SIGNAL, "first");
        subscriptions.register(1, Link(5), SIGNAL, "second");
        subscriptions.register(2, Link(5), SIGNAL, "other");
        assert_eq!(told(&subscriptions, SIGNAL), ["second", "other"]);
        assert_eq!(subscriptions.unregister(3, Link(5)), None);
        assert_eq!(subscriptions.remove_connection(1), ["second"]);
        assert_eq!(subscriptions.len(), 1);
    }

    #[test]
    fn a_link_that_is_replaced_may_move_to_another_signal() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.register(1, Link(5), SIGNAL, "before");
        subscriptions.register(1, Link(5), ActionId(107), "after");
        assert!(told(&subscriptions, SIGNAL).is_empty());
        assert_eq!(told(&subscriptions, ActionId(107)), ["after"]);
    }

    #[test]
    fn subscribers_are_told_in_the_order_in_which_they_came() {
        let mut subscriptions = Subscriptions::default();
        for (connection, link, name) in [(9, 1, "a"), (1, 9, "b"), (9, 0, "c"), (5, 5, "d")] {
            subscriptions.register(connection, Link(link), SIGNAL, name);
        }
        assert_eq!(subscriptions.unregister(1, Link(9)), Some("b"));
        assert_eq!(told(&subscriptions, SIGNAL), ["a", "c", "d"]);
    }

    #[test]
    fn all_subscriptions_of_a_connection_end_with_it() {
        let mut subscriptions = Subscriptions::default();
        for link in [0, 1, u64::MAX] {
            subscriptions.register(1, Link(link), SIGNAL, "gone");
            subscriptions.register(2, Link(link), ActionId(link as u32), "stays");
        }
        assert_eq!(subscriptions.remove_connection(1), ["gone"; 3]);
        assert_eq!(subscriptions.len(), 3);
        assert_eq!(subscriptions.remove_connection(2).len(), 3);
        assert!(subscriptions.is_empty() && subscriptions.signals.is_empty());
    }
}
