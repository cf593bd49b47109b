//! Who is subscribed to an object's signals (spec 6.2).

use std::{collections::HashMap, hash::Hash};

use keyway_value::{ActionId, Link};

/// The subscriptions of one object. A link is chosen by its subscriber and belongs to its connection `C` (6.6).
#[derive(Debug)]
pub struct Subscriptions<C, T> {
    links: HashMap<(C, Link), ActionId>,
    /// Subscribers of each signal in the order in which they came, which is the order in which they are told.
    signals: HashMap<ActionId, Vec<(C, Link, T)>>,
}

impl<C: Copy + Eq + Hash, T> Subscriptions<C, T> {
    /// Subscribes. A link that is in use is replaced (6.7), where libqi leaks the earlier subscription.
    pub fn register(&mut self, connection: C, link: Link, signal: ActionId, subscriber: T) {
        self.unregister(connection, link);
        self.links.insert((connection, link), signal);
        self.signals.entry(signal).or_default().push((connection, link, subscriber));
    }

    /// Ends a subscription.
    pub fn unregister(&mut self, connection: C, link: Link) -> Option<T> {
        let signal = self.links.remove(&(connection, link))?;
        let subscribers = self.signals.get_mut(&signal)?;
        let position = subscribers.iter().position(|(owner, own, _)| (*owner, *own) == (connection, link))?;
        let (_, _, subscriber) = subscribers.remove(position);
        if subscribers.is_empty() {
            self.signals.remove(&signal);
        }
        Some(subscriber)
    }

    /// Ends all subscriptions of a connection (6.11).
    pub fn remove_connection(&mut self, connection: C) -> Vec<T> {
        let links: Vec<_> =
            self.links.keys().filter(|(owner, _)| *owner == connection).map(|(_, link)| *link).collect();
        links.into_iter().filter_map(|link| self.unregister(connection, link)).collect()
    }

    /// The subscribers of a signal.
    pub fn subscribers(&self, signal: ActionId) -> impl Iterator<Item = &T> {
        self.signals.get(&signal).into_iter().flatten().map(|(_, _, subscriber)| subscriber)
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
        Self { links: HashMap::new(), signals: HashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNAL: ActionId = ActionId(106);

    #[test]
    fn a_link_in_use_is_replaced_and_belongs_to_its_connection() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.register(1, Link(5), SIGNAL, "first");
        subscriptions.register(1, Link(5), SIGNAL, "second");
        subscriptions.register(2, Link(5), SIGNAL, "other");
        assert_eq!(subscriptions.subscribers(SIGNAL).copied().collect::<Vec<_>>(), ["second", "other"]);
        assert_eq!(subscriptions.unregister(3, Link(5)), None);
        assert_eq!(subscriptions.remove_connection(1), ["second"]);
        assert_eq!(subscriptions.len(), 1);
    }
}
