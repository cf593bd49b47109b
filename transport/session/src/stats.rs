//! Statistics of an object's methods (actions 80–83, spec 6).

use std::collections::BTreeMap;

use keyway_value::{ActionId, CodecError, Decoder, Encoder, QiValue, Signature};

/// Least, most and sum of some measurements, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MinMaxSum {
    /// The least.
    pub min: f32,
    /// The most.
    pub max: f32,
    /// All together.
    pub sum: f32,
}

/// What is known of a method's calls.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MethodStatistics {
    /// How many there were.
    pub count: u32,
    /// Their time by the clock.
    pub wall: MinMaxSum,
    /// Their time on a processor, in user mode. Not measured by this project.
    pub user: MinMaxSum,
    /// Their time on a processor, in the kernel. Not measured by this project.
    pub system: MinMaxSum,
}

impl MinMaxSum {
    fn add(&mut self, first: bool, value: f32) {
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
        self.sum += value;
    }
}

impl QiValue for MinMaxSum {
    const MIN_SIZE: usize = 12;

    fn signature() -> Signature {
        let float = Signature::float;
        Signature::named_tuple("MinMaxSum", &["minValue", "maxValue", "cumulatedValue"], [float(), float(), float()])
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        (self.min, self.max, self.sum).encode(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let (min, max, sum) = QiValue::decode(decoder)?;
        Ok(Self { min, max, sum })
    }
}

impl QiValue for MethodStatistics {
    const MIN_SIZE: usize = 40;

    fn signature() -> Signature {
        let times = MinMaxSum::signature;
        let types = [Signature::uint32(), times(), times(), times()];
        Signature::named_tuple("MethodStatistics", &["count", "wall", "user", "system"], types)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        (self.count, self.wall, self.user, self.system).encode(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let (count, wall, user, system) = QiValue::decode(decoder)?;
        Ok(Self { count, wall, user, system })
    }
}

/// The statistics of an object, by method.
#[derive(Debug, Default)]
pub struct StatsTable(BTreeMap<u32, MethodStatistics>);

impl StatsTable {
    /// Notes a call; times in seconds.
    pub fn record(&mut self, method: ActionId, wall: f32, user: f32, system: f32) {
        let entry = self.0.entry(method.0).or_default();
        let first = entry.count == 0;
        entry.count = entry.count.saturating_add(1);
        entry.wall.add(first, wall);
        entry.user.add(first, user);
        entry.system.add(first, system);
    }

    /// All that is known.
    pub fn snapshot(&self) -> BTreeMap<u32, MethodStatistics> {
        self.0.clone()
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
