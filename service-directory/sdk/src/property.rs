//! Properties of objects hosted here (spec 6.3).

use std::{fmt, sync::Arc};

use keyway_value::{QiValue, Signature, Type, Value};
use parking_lot::Mutex;

use crate::{
    Error, Result,
    answer::Answer,
    exchange::{Exchange, from_value},
    signal::{Signal, SignalCore},
    stream::SignalStream,
};

/// A value that others may read, set and watch.
///
/// Every successful set notifies the subscribers, also when the value stays the same (spec 6.12).
///
/// ```
/// let level = keyway::Property::new(3);
/// level.on_set(|new| if *new <= 100 { Ok(()) } else { Err("level is at most 100".into()) });
/// assert!(level.set(200).is_err());
/// assert_eq!(level.get(), 3);
/// ```
pub struct Property<T> {
    core: Arc<Core<T>>,
}

struct Core<T> {
    value: Mutex<T>,
    changed: Signal<(T,)>,
    validate: Mutex<Option<Validator<T>>>,
}

type Validator<T> = Arc<dyn Fn(&T) -> Result<(), String> + Send + Sync>;

impl<T: QiValue + Clone + Send + Sync + 'static> Property<T> {
    /// A property with its first value.
    pub fn new(value: T) -> Self {
        let core = Core { value: Mutex::new(value), changed: Signal::new(), validate: Mutex::new(None) };
        Self { core: Arc::new(core) }
    }

    /// The value as it is now.
    pub fn get(&self) -> T {
        self.core.value.lock().clone()
    }

    /// Sets the value and notifies; the validator's text when it refuses.
    pub fn set(&self, value: T) -> Result<()> {
        let validate = self.core.validate.lock().clone();
        if let Some(validate) = validate {
            validate(&value).map_err(Error::Remote)?;
        }
        let mut current = self.core.value.lock();
        *current = value.clone();
        // Notified under the lock, so that subscribers see the changes in the order in which they happened.
        self.core.changed.emit(&(value,));
        Ok(())
    }

    /// Asks this before every set; an `Err` refuses the new value and its text goes to whoever tried.
    pub fn on_set(&self, validate: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static) {
        *self.core.validate.lock() = Some(Arc::new(validate));
    }

    /// Listens to changes from within this process.
    pub fn changed(&self) -> SignalStream<(T,)> {
        self.core.changed.listen()
    }
}

impl<T: QiValue + Clone + Default + Send + Sync + 'static> Default for Property<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Property<T> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

impl<T> fmt::Debug for Property<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Property").finish_non_exhaustive()
    }
}

/// A property without its type, as an object holds it.
pub(crate) trait PropertyAccess: Send + Sync {
    fn signature(&self) -> Signature;
    fn changed(&self) -> Arc<SignalCore>;
    /// The payload of type `m` of a get.
    fn read(&self, exchange: &Exchange) -> Answer;
    /// Converts and sets.
    fn write(&self, value: Value) -> Answer;
}

impl<T: QiValue + Clone + Send + Sync + 'static> PropertyAccess for Property<T> {
    fn signature(&self) -> Signature {
        T::signature()
    }

    fn changed(&self) -> Arc<SignalCore> {
        self.core.changed.core.clone()
    }

    fn read(&self, exchange: &Exchange) -> Answer {
        let value = self.get();
        Answer::Ready(exchange.encode(|encoder| write_as_dynamic(&value, encoder)))
    }

    fn write(&self, value: Value) -> Answer {
        let value = value.unwrap_dynamic();
        let from = value.signature();
        let result = from_value(value).map_err(|_| conversion_error(&from, &T::signature()));
        Answer::Ready(result.and_then(|value| self.set(value)).map(|()| Default::default()))
    }
}

/// A property that others may only read (QI-062).
pub(crate) struct ReadOnly<T>(pub(crate) Property<T>);

impl<T: QiValue + Clone + Send + Sync + 'static> PropertyAccess for ReadOnly<T> {
    fn signature(&self) -> Signature {
        T::signature()
    }

    fn changed(&self) -> Arc<SignalCore> {
        PropertyAccess::changed(&self.0)
    }

    fn read(&self, exchange: &Exchange) -> Answer {
        self.0.read(exchange)
    }

    fn write(&self, _: Value) -> Answer {
        Answer::Ready(Err(Error::remote("the property is read-only")))
    }
}

fn write_as_dynamic<T: QiValue>(
    value: &T,
    encoder: &mut keyway_value::Encoder<'_>,
) -> Result<(), keyway_value::CodecError> {
    let signature = T::signature();
    if *signature.kind() != Type::Dynamic {
        encoder.write_signature(&signature);
    }
    value.encode(encoder)
}

/// The text of libqi, which shows a string's type as `Ss` (spec 6.3).
pub(crate) fn conversion_error(from: &Signature, to: &Signature) -> Error {
    let shown = |signature: &Signature| match signature.kind() {
        Type::String => "Ss".to_owned(),
        _ => signature.to_string(),
    };
    Error::Remote(format!("Failed converting {} to {}", shown(from), to))
}
