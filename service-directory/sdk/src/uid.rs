//! Identities of objects (spec 10.1): SHA-1 over the machine, the process and the object.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use keyway_value::ObjectUid;
use sha1::{Digest, Sha1};
use uuid::Uuid;

use crate::machine_id::machine_id;

/// A new identity, different from all others of this process and, as far as chance allows, of the world.
pub(crate) fn next() -> ObjectUid {
    static PROCESS: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let mut hash = Sha1::new();
    hash.update(machine_id().as_bytes());
    hash.update(PROCESS.as_bytes());
    hash.update(COUNTER.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    ObjectUid(hash.finalize().into())
}
