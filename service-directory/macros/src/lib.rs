//! Attribute and derive macros of the keyway SDK.
//!
//! Programs use them through the SDK, which exports them: `keyway::QiValue`, `keyway::service`, `keyway::proxy`. What
//! they generate says `::keyway::…`; where the SDK has another name, `crate = …` tells.

mod attributes;
mod derive;
mod names;
mod proxy;
mod service;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, ItemImpl, ItemTrait, parse::Parser, parse_macro_input};

/// Gives a struct or an enum its type on the wire.
///
/// | Rust | wire |
/// |---|---|
/// | `struct Point { x: i32, label: String }` | `(is)<Point,x,label>` |
/// | `struct Pair(i32, f32);` | `(if)` |
/// | `struct Nothing;` | `()` |
/// | `#[qi(transparent)] struct Celsius(f64);` | `d` |
/// | `enum Mode { Off, On = 5 }` | `i`, the discriminant |
///
/// Type parameters have to be `QiValue` themselves. Options, in `#[qi(…)]`:
///
/// - `rename = "…"` on a struct or a named field: its name on the wire.
/// - `transparent` on a struct with one field: written as that field is.
/// - `crate = …` on the type: where the SDK is, if not at `::keyway`.
///
/// ```
/// use keyway::QiValue;
///
/// #[derive(QiValue, Debug, PartialEq)]
/// struct Point {
///     x: i32,
///     #[qi(rename = "name")]
///     label: String,
/// }
///
/// #[derive(QiValue)]
/// enum Mode {
///     Off,
///     On = 5,
/// }
///
/// assert_eq!(Point::signature().to_string(), "(is)<Point,x,name>");
/// assert_eq!(Mode::signature().to_string(), "i");
/// let point = Point { x: 1, label: "one".into() };
/// let bytes = keyway::value::to_payload(&point)?.into_bytes();
/// assert_eq!(keyway::value::from_payload::<Point>(&bytes)?, point);
/// # Ok::<(), keyway::Error>(())
/// ```
#[proc_macro_derive(QiValue, attributes(qi))]
pub fn derive_qi_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a service of a type: every function of the `impl` that takes `&self` becomes a method.
///
/// The type can then be registered, as can an `Arc` of it; the block stays the plain Rust it is. Documentation comments
/// and the names of parameters go to the service's description, the comment of the block itself included. A method
/// returns a value or a `Result`, whose error is sent as its text. It runs on the connection's own task: what waits is
/// `async`, what blocks its thread is marked.
///
/// Arguments of the macro:
///
/// - `signals(a, b)`, `properties(c, d)`: fields of the type `Signal<…>` or `Property<…>`. In parentheses after a
///   field: `name = "…"`, its name on the wire, and `read_only` for a property that others may not set.
/// - `rename_all = "camelCase"`: `battery_level` is `batteryLevel` on the wire.
/// - `description = "…"`: what the service is.
/// - `crate = …`: where the SDK is, if not at `::keyway`.
///
/// Options of a function, in `#[qi(…)]`:
///
/// - `skip`: not exported. Functions without `self`, or with the whole of it, never are.
/// - `name = "…"`: its name on the wire. Functions of equal names are overloads.
/// - `blocking`: runs on a thread of its own.
///
/// Parameters may be references: what they refer to is received and lent. One with `#[qi(context)]` is the
/// `CallContext`, by value or by reference.
///
/// ```
/// use keyway::{CallContext, Property, Signal};
///
/// #[derive(Default)]
/// struct Robot {
///     said: Signal<(String,)>,
///     volume: Property<i32>,
///     uptime: Property<u32>,
/// }
///
/// /// Speaks.
/// #[keyway::service(signals(said), properties(volume, uptime(read_only)))]
/// impl Robot {
///     /// Says something aloud.
///     fn say(&self, text: &str) -> Result<(), String> {
///         if text.is_empty() {
///             return Err("nothing to say".into());
///         }
///         self.said.emit(&(text.to_owned(),));
///         Ok(())
///     }
///
///     async fn walk(&self, meters: f32) -> bool {
///         meters < 10.0
///     }
///
///     fn who(&self, #[qi(context)] context: &CallContext) -> String {
///         context.peer()
///     }
///
///     #[qi(skip)]
///     fn reset(&self) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> keyway::Result<()> {
/// let directory = keyway::Directory::builder().start().await?;
/// let session = directory.session();
/// session.register("Robot", Robot::default()).await?;
/// let robot = session.service("Robot").await?;
/// assert!(robot.call::<bool>("walk", (2.5_f32,)).await?);
/// assert_eq!(robot.call::<()>("say", ("",)).await.unwrap_err().to_string(), "nothing to say");
/// assert_eq!(robot.metaobject().description, "Speaks.");
/// # Robot::default().reset();
/// # Ok(()) }
/// ```
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let block = parse_macro_input!(item as ItemImpl);
    let mut reading = service::Reading::default();
    let read = syn::meta::parser(|meta| reading.add(&meta)).parse(arguments);
    service::expand(read.and_then(|()| reading.finish()), block).into()
}

/// Makes a typed proxy of a trait, which is consumed: `trait RobotApi` gives `struct RobotApiProxy`.
///
/// It is made from a `Proxy` and leads back to it with `as_proxy`, and it is a value itself: methods may take and
/// return it. Parameters may be references; they are sent as what they refer to. What a function does:
///
/// - `async fn say(&self, text: &str) -> keyway::Result<()>` calls. Without `async` it returns the `keyway::Call<()>`,
///   which can be canceled.
/// - `#[qi(post)] fn say(&self, text: &str) -> keyway::Result<()>` posts.
/// - `#[qi(signal)] async fn said(&self) -> keyway::Result<SignalStream<(String,)>>` subscribes.
/// - `#[qi(property)] async fn level(&self) -> keyway::Result<i32>` reads a property, and with one parameter sets it:
///   `#[qi(property)] async fn set_level(&self, value: i32) -> keyway::Result<()>`.
///
/// `#[qi(name = "…")]` gives the member's name on the wire where it is another. Arguments of the macro: `name = "…"`,
/// the name of the struct; `rename_all = "camelCase"`; `crate = …`, where the SDK is, if not at `::keyway`.
///
/// ```
/// use keyway::SignalStream;
///
/// /// A meter somewhere.
/// #[keyway::proxy(name = "Meter")]
/// trait MeterApi {
///     async fn add(&self, a: i32, b: i32) -> keyway::Result<i32>;
///     #[qi(signal)]
///     async fn alarm(&self) -> keyway::Result<SignalStream<(String,)>>;
///     #[qi(property)]
///     async fn level(&self) -> keyway::Result<i32>;
///     #[qi(property)]
///     async fn set_level(&self, value: i32) -> keyway::Result<()>;
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> keyway::Result<()> {
/// let mut builder = keyway::Object::builder();
/// builder.method("add", |(a, b): (i32, i32)| a + b).property("level", &keyway::Property::new(1));
/// let meter = Meter::from(builder.build().proxy());
/// assert_eq!(meter.add(40, 2).await?, 42);
/// meter.set_level(3).await?;
/// assert_eq!(meter.level().await?, 3);
/// # Ok(()) }
/// ```
#[proc_macro_attribute]
pub fn proxy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut given = proxy::Arguments::default();
    let parser = syn::meta::parser(|meta| given.add(&meta));
    parse_macro_input!(arguments with parser);
    let api = parse_macro_input!(item as ItemTrait);
    proxy::expand(&given, api).unwrap_or_else(Error::into_compile_error).into()
}

/// How long the tuples are that `QiValue` is implemented for.
const MAX_PARAMETERS: usize = 10;

fn too_many_parameters() -> String {
    format!("there are at most {MAX_PARAMETERS} parameters; pass a struct")
}
