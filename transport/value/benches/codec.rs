//! How fast 1 KiB of the usual signatures is written and read: `cargo bench -p keyway-value`.

use std::{
    collections::{BTreeMap, HashMap},
    hint::black_box,
    time::Duration,
};

use bytes::Bytes;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use keyway_value::{
    Decoder, DynamicView, Encoder, Pairs, QiValue, Signature, Value, by_signature, from_payload, to_payload, transcode,
    view_payload,
};
use serde::{Deserialize, Serialize};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The joints of a robot, as `ALMotion` names them.
const JOINTS: [&str; 26] = [
    "HeadYaw",
    "HeadPitch",
    "LShoulderPitch",
    "LShoulderRoll",
    "LElbowYaw",
    "LElbowRoll",
    "LWristYaw",
    "LHand",
    "LHipYawPitch",
    "LHipRoll",
    "LHipPitch",
    "LKneePitch",
    "LAnklePitch",
    "LAnkleRoll",
    "RHipYawPitch",
    "RHipRoll",
    "RHipPitch",
    "RKneePitch",
    "RAnklePitch",
    "RAnkleRoll",
    "RShoulderPitch",
    "RShoulderRoll",
    "RElbowYaw",
    "RElbowRoll",
    "RWristYaw",
    "RHand",
];

/// `[(sIf)]`
fn list() -> Vec<(String, u32, f32)> {
    (0_u16..46).map(|n| (JOINTS[usize::from(n) % 26].to_owned(), n.into(), f32::from(n) / 8.0)).collect()
}

/// `{sm}`
fn map() -> BTreeMap<String, Value> {
    let value = |n: u16, joint: &str| match n % 4 {
        0 => Value::from(f64::from(n) / 8.0),
        1 => Value::from(i64::from(n)),
        2 => Value::from(joint),
        _ => Value::from(n % 8 == 3),
    };
    (0_u16..37)
        .map(|n| (n, JOINTS[usize::from(n) % 26]))
        .map(|(n, joint)| (format!("{joint}/{n}"), value(n, joint)))
        .collect()
}

fn typed<T: QiValue>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, value: &T) {
    let bytes = to_payload(value).unwrap().into_bytes();
    group.bench_function(format!("encode/{name}"), |b| b.iter(|| to_payload(black_box(value)).unwrap()));
    group.bench_function(format!("decode/{name}"), |b| b.iter(|| from_payload::<T>(black_box(&bytes)).unwrap()));
}

fn dynamic(group: &mut BenchmarkGroup<'_, WallTime>, bytes: &Bytes, signature: &Signature) {
    let value = Decoder::new(bytes).read_value(signature).unwrap();
    group.bench_function("encode/value", |b| {
        b.iter(|| {
            let mut encoder = Encoder::new();
            encoder.write_value(black_box(&value)).unwrap();
            encoder.finish()
        });
    });
    group.bench_function("decode/value", |b| {
        b.iter(|| Decoder::new(black_box(bytes)).read_value(signature).unwrap());
    });
}

fn by_name<'a, T: Serialize + Deserialize<'a>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    bytes: &'a Bytes,
    signature: &Signature,
) {
    let value: T = by_signature::from_payload(bytes, signature).unwrap();
    group.bench_function(format!("encode/serde-{name}"), |b| {
        b.iter(|| by_signature::to_payload(black_box(&value), signature).unwrap());
    });
    group.bench_function(format!("decode/serde-{name}"), |b| {
        b.iter(|| by_signature::from_payload::<T>(black_box(bytes), signature).unwrap());
    });
}

fn json(group: &mut BenchmarkGroup<'_, WallTime>, bytes: &Bytes, signature: &Signature) {
    let text = transcode::to_json(bytes, signature).unwrap();
    group.bench_function("decode/to-json", |b| {
        b.iter(|| transcode::to_json(black_box(bytes), signature).unwrap());
    });
    group.bench_function("encode/from-json", |b| {
        b.iter(|| transcode::from_json(black_box(&text), signature).unwrap());
    });
}

fn codec(criterion: &mut Criterion) {
    let value = list();
    let bytes = to_payload(&value).unwrap().into_bytes();
    let signature = Vec::<(String, u32, f32)>::signature();
    let mut group = criterion.benchmark_group("[(sIf)]");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    typed(&mut group, "vec-of-string", &value);
    let borrowed: Vec<(&str, u32, f32)> = view_payload(&bytes).unwrap();
    group.bench_function("encode/vec-of-str", |b| b.iter(|| to_payload(black_box(&borrowed)).unwrap()));
    group.bench_function("decode/vec-of-str", |b| {
        b.iter(|| view_payload::<Vec<(&str, u32, f32)>>(black_box(&bytes)).unwrap());
    });
    by_name::<Vec<(&str, u32, f32)>>(&mut group, "vec-of-str", &bytes, &signature);
    dynamic(&mut group, &bytes, &signature);
    json(&mut group, &bytes, &signature);
    group.finish();

    let value = map();
    let bytes = to_payload(&value).unwrap().into_bytes();
    let signature = BTreeMap::<String, Value>::signature();
    let mut group = criterion.benchmark_group("{sm}");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    typed(&mut group, "btreemap", &value);
    let borrowed: BTreeMap<&str, DynamicView<'_>> = view_payload(&bytes).unwrap();
    group.bench_function("encode/btreemap-of-str", |b| b.iter(|| to_payload(black_box(&borrowed)).unwrap()));
    group.bench_function("decode/btreemap-of-str", |b| {
        b.iter(|| view_payload::<BTreeMap<&str, DynamicView<'_>>>(black_box(&bytes)).unwrap());
    });
    group.bench_function("decode/pairs-of-str", |b| {
        b.iter(|| view_payload::<Pairs<&str, DynamicView<'_>>>(black_box(&bytes)).unwrap());
    });
    group.bench_function("decode/hashmap-of-str", |b| {
        b.iter(|| view_payload::<HashMap<&str, DynamicView<'_>>>(black_box(&bytes)).unwrap());
    });
    typed(&mut group, "hashmap", &value.clone().into_iter().collect::<HashMap<_, _>>());
    dynamic(&mut group, &bytes, &signature);
    json(&mut group, &bytes, &signature);
    group.finish();
}

fn main() {
    let settings = Criterion::default().sample_size(20);
    let settings = settings.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    codec(&mut settings.configure_from_args());
}
