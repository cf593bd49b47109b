//! Objects handed out on one connection (spec 10.2). Each handing out is a reference of its own (10.5).

use std::collections::HashMap;

use keyway_value::{ObjectId, ServiceId};

/// The objects by their address. Ids mean something on this connection only (10.1, H13).
#[derive(Debug)]
pub struct BoundObjects<T> {
    objects: HashMap<(ServiceId, ObjectId), T>,
    returned: u32,
    passed: u32,
}

impl<T> BoundObjects<T> {
    /// Binds an object that is returned or emitted by an object of `service`: ids from 3 up.
    pub fn bind_returned(&mut self, service: ServiceId, object: T) -> (ServiceId, ObjectId) {
        let address = self.free_address(service, |own| {
            let id = FIRST_RETURNED + own.returned;
            own.returned = (own.returned + 1) % (FIRST_PASSED - FIRST_RETURNED);
            id
        });
        self.objects.insert(address, object);
        address
    }

    /// Binds an object that is passed as an argument to an object of `service`: ids from 2³¹ up.
    pub fn bind_argument(&mut self, service: ServiceId, object: T) -> (ServiceId, ObjectId) {
        let address = self.free_address(service, |own| {
            let id = FIRST_PASSED + own.passed;
            own.passed = (own.passed + 1) % FIRST_PASSED;
            id
        });
        self.objects.insert(address, object);
        address
    }

    /// The counts wrap around; an object that is still out keeps its id.
    fn free_address(&mut self, service: ServiceId, mut next: impl FnMut(&mut Self) -> u32) -> (ServiceId, ObjectId) {
        loop {
            let address = (service, ObjectId(next(self)));
            if !self.objects.contains_key(&address) {
                return address;
            }
        }
    }

    /// The object at an address.
    pub fn get(&self, service: ServiceId, object: ObjectId) -> Option<&T> {
        self.objects.get(&(service, object))
    }

    /// Lets go of a reference (10.4).
    pub fn terminate(&mut self, service: ServiceId, object: ObjectId) -> Option<T> {
        self.objects.remove(&(service, object))
    }

    /// Takes all objects: the connection is gone (10.6).
    pub fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.objects).into_values().collect()
    }

    /// How many references are out.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl<T> Default for BoundObjects<T> {
    fn default() -> Self {
        Self { objects: HashMap::new(), returned: 0, passed: 0 }
    }
}

const FIRST_RETURNED: u32 = 3;
const FIRST_PASSED: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: ServiceId = ServiceId(3);

    #[test]
    fn ids_start_at_three_for_results_and_at_two_to_the_31st_for_arguments() {
        let mut objects = BoundObjects::default();
        assert_eq!(objects.bind_returned(SERVICE, 'a'), (SERVICE, ObjectId(3)));
        assert_eq!(objects.bind_returned(ServiceId(9), 'b'), (ServiceId(9), ObjectId(4)));
        assert_eq!(objects.bind_argument(SERVICE, 'c'), (SERVICE, ObjectId(0x8000_0000)));
        assert_eq!(objects.get(ServiceId(9), ObjectId(4)), Some(&'b'));
        assert_eq!(objects.get(SERVICE, ObjectId(4)), None);
    }

    #[test]
    fn each_reference_is_let_go_by_itself() {
        let mut objects = BoundObjects::default();
        let (service, first) = objects.bind_returned(SERVICE, "same");
        let (_, second) = objects.bind_returned(SERVICE, "same");
        assert_eq!(objects.terminate(service, first), Some("same"));
        assert_eq!(objects.terminate(service, first), None);
        assert_eq!(objects.get(service, second), Some(&"same"));
        assert_eq!(objects.drain(), ["same"]);
        assert!(objects.is_empty());
    }

    #[test]
    fn an_id_in_use_is_skipped_when_the_count_starts_again() {
        let mut objects = BoundObjects::default();
        objects.bind_argument(SERVICE, 'a');
        objects.passed = FIRST_PASSED - 1;
        assert_eq!(objects.bind_argument(SERVICE, 'b').1, ObjectId(u32::MAX));
        assert_eq!(objects.bind_argument(SERVICE, 'c').1, ObjectId(FIRST_PASSED + 1));
        objects.returned = FIRST_PASSED - FIRST_RETURNED - 1;
        assert_eq!(objects.bind_returned(SERVICE, 'd').1, ObjectId(FIRST_PASSED - 1));
        assert_eq!(objects.bind_returned(SERVICE, 'e').1, ObjectId(FIRST_RETURNED));
        assert_eq!(objects.len(), 5);
    }
}
