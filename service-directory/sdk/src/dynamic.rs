//! Signals and properties whose types are only known at run time, as bridges make them of what other worlds have.

use std::{fmt, sync::Arc};

use keyway_value::{Signature, Value, convert};
use parking_lot::Mutex;

use crate::{
    Error, Result,
    answer::Answer,
    exchange::Exchange,
    property::PropertyAccess,
    signal::{Emission, SignalCore},
};

/// A [`Signal`](crate::Signal) whose parameters are only known at run time. Clones are the same signal.
///
/// ```
/// let scanned = keyway::DynamicSignal::new("([f])".parse()?);
/// let mut lidar = keyway::Object::builder();
/// lidar.signal_dynamic("scanned", &scanned);
/// scanned.emit(keyway::Value::tuple(vec![vec![1.5_f32.into()].into()]))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DynamicSignal {
    pub(crate) core: Arc<SignalCore>,
}

impl DynamicSignal {
    /// A signal that belongs to no object yet; `parameters` is the tuple of its parameters.
    pub fn new(parameters: Signature) -> Self {
        Self { core: Arc::new(SignalCore::new(parameters)) }
    }

    /// Sends the event to all subscribers, converted to the declared type. See [`Signal::emit`](crate::Signal::emit).
    pub fn emit(&self, parameters: Value) -> Result<()> {
        let parameters = convert::convert(parameters, &self.core.signature)?;
        self.core.emit(&Emission::Encode(&|encoder| encoder.write_value(&parameters)));
        Ok(())
    }

    /// How many subscriptions there are, here and remote.
    pub fn subscribers(&self) -> usize {
        self.core.subscribers()
    }
}

impl fmt::Debug for DynamicSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicSignal").field("signature", &self.core.signature).finish_non_exhaustive()
    }
}

/// A [`Property`](crate::Property) whose type is only known at run time, and that others may only read and watch. Clones are the
/// same property.
#[derive(Clone)]
pub struct DynamicProperty {
    core: Arc<Core>,
}

struct Core {
    signature: Signature,
    value: Mutex<Value>,
    changed: DynamicSignal,
}

impl DynamicProperty {
    /// A property of this type, with its first value.
    pub fn new(signature: Signature, value: Value) -> Result<Self> {
        let value = Mutex::new(convert::convert(value, &signature)?);
        let changed = DynamicSignal::new(Signature::tuple([signature.clone()]));
        Ok(Self { core: Arc::new(Core { signature, value, changed }) })
    }

    /// The value as it is now.
    pub fn get(&self) -> Value {
        self.core.value.lock().clone()
    }

    /// Sets the value, converted to the declared type, and notifies.
    pub fn set(&self, value: Value) -> Result<()> {
        let value = convert::convert(value, &self.core.signature)?;
        let mut current = self.core.value.lock();
        *current = value.clone();
        // Notified under the lock, so that subscribers see the changes in the order in which they happened.
        self.core.changed.emit(Value::tuple(vec![value]))
    }
}

impl fmt::Debug for DynamicProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicProperty").field("signature", &self.core.signature).finish_non_exhaustive()
    }
}

impl PropertyAccess for DynamicProperty {
    fn signature(&self) -> Signature {
        self.core.signature.clone()
    }

    fn changed(&self) -> Arc<SignalCore> {
        self.core.changed.core.clone()
    }

    fn read(&self, exchange: &Exchange) -> Answer {
        let value = self.get();
        Answer::Ready(exchange.encode(|encoder| encoder.write_dynamic(&value)))
    }

    fn write(&self, _: Value) -> Answer {
        Answer::Ready(Err(Error::remote("the property is read-only")))
    }
}
