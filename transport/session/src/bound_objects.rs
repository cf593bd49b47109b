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
        let id = ObjectId(FIRST_RETURNED + self.returned);
        self.returned = (self.returned + 1) % (FIRST_PASSED - FIRST_RETURNED);
        self.bind(service, id, object)
    }

    /// Binds an object that is passed as an argument to an object of `service`: ids from 2³¹ up.
    pub fn bind_argument(&mut self, service: ServiceId, object: T) -> (ServiceId, ObjectId) {
        let id = ObjectId(FIRST_PASSED + self.passed);
        self.passed = (self.passed + 1) % (u32::MAX - FIRST_PASSED);
        self.bind(service, id, object)
    }

    fn bind(&mut self, service: ServiceId, id: ObjectId, object: T) -> (ServiceId, ObjectId) {
        self.objects.insert((service, id), object);
        (service, id)
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
