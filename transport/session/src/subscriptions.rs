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
    /// Links by connection.
    held: BTreeMap<C, usize>,
    /// Subscribers of each signal in the order in which they came, which is the order in which they are told.
    signals: HashMap<ActionId, BTreeMap<u64, T>>,
    next: u64,
}

impl<C: Copy + Ord, T> Subscriptions<C, T> {
    /// Subscribes. A link that is in use is replaced (6.7), where libqi leaks the earlier subscription. False, and nothing
    /// happens, when the connection holds as many links as one may.
    #[must_use]
    pub fn register(&mut self, connection: C, link: Link, signal: ActionId, subscriber: T) -> bool {
        self.unregister(connection, link);
        let held = self.held.entry(connection).or_default();
        if *held >= MAX_LINKS {
            return false;
        }
        *held += 1;
        let place = self.next;
        self.next += 1;
        self.links.insert((connection, link), (signal, place));
        self.signals.entry(signal).or_default().insert(place, subscriber);
        true
    }

    /// Ends a subscription.
    pub fn unregister(&mut self, connection: C, link: Link) -> Option<T> {
        let (signal, place) = self.links.remove(&(connection, link))?;
        if let Some(held) = self.held.get_mut(&connection) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&connection);
            }
        }
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
        Self { links: BTreeMap::new(), held: BTreeMap::new(), signals: HashMap::new(), next: 0 }
    }
}

/// Links one connection may hold to one object. libqi uses one for each signal and process (6.10).
const MAX_LINKS: usize = 4096;

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
        assert!(subscriptions.register(1, Link(5), SIGNAL, "first"));
        assert!(subscriptions.register(1, Link(5), SIGNAL, "second"));
        assert!(subscriptions.register(2, Link(5), SIGNAL, "other"));
        assert_eq!(told(&subscriptions, SIGNAL), ["second", "other"]);
        assert_eq!(subscriptions.unregister(3, Link(5)), None);
        assert_eq!(subscriptions.remove_connection(1), ["second"]);
        assert_eq!(subscriptions.len(), 1);
    }

    #[test]
    fn a_link_that_is_replaced_may_move_to_another_signal() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.register(1, Link(5), SIGNAL, "before"));
        assert!(subscriptions.register(1, Link(5), ActionId(107), "after"));
        assert!(told(&subscriptions, SIGNAL).is_empty());
        assert_eq!(told(&subscriptions, ActionId(107)), ["after"]);
    }

    #[test]
    fn subscribers_are_told_in_the_order_in_which_they_came() {
        let mut subscriptions = Subscriptions::default();
        for (connection, link, name) in [(9, 1, "a"), (1, 9, "b"), (9, 0, "c"), (5, 5, "d")] {
            assert!(subscriptions.register(connection, Link(link), SIGNAL, name));
        }
        assert_eq!(subscriptions.unregister(1, Link(9)), Some("b"));
        assert_eq!(told(&subscriptions, SIGNAL), ["a", "c", "d"]);
    }

    #[test]
    fn all_subscriptions_of_a_connection_end_with_it() {
        let mut subscriptions = Subscriptions::default();
        for link in [0, 1, u64::MAX] {
            assert!(subscriptions.register(1, Link(link), SIGNAL, "gone"));
            assert!(subscriptions.register(2, Link(link), ActionId(link as u32), "stays"));
        }
        assert_eq!(subscriptions.remove_connection(1), ["gone"; 3]);
        assert_eq!(subscriptions.len(), 3);
        assert_eq!(subscriptions.remove_connection(2).len(), 3);
        assert!(subscriptions.is_empty() && subscriptions.signals.is_empty());
    }

    #[test]
    fn one_connection_cannot_subscribe_without_end() {
        let mut subscriptions = Subscriptions::default();
        for link in 0..MAX_LINKS as u64 {
            assert!(subscriptions.register(1, Link(link), SIGNAL, "greedy"));
        }
        assert!(!subscriptions.register(1, Link(u64::MAX), SIGNAL, "refused"));
        assert!(subscriptions.register(1, Link(0), SIGNAL, "replaced"));
        assert!(subscriptions.register(2, Link(0), SIGNAL, "other"));
        assert!(subscriptions.unregister(1, Link(1)).is_some());
        assert!(subscriptions.register(1, Link(u64::MAX), SIGNAL, "in its place"));
        assert_eq!(subscriptions.remove_connection(1).len(), MAX_LINKS);
        assert_eq!(subscriptions.held.len(), 1);
    }
}
