//! Who may do what through the gateway: rules on roles, services and members, without I/O (DESIGN 7).
//!
//! A [`Policy`] is read from TOML and checked as a whole. For the hot path it is compiled into a [`ServiceAccess`] for each
//! role and service, which answers by action id and decodes nothing but arguments that a rule limits. It knows nothing
//! of connections, and time is a parameter. Who a client is, is the matter of `keyway-auth`.
//!
//! - Nothing is allowed that no rule allows, and a rule that denies wins over all that allow.
//! - A role has the rules of the roles it inherits. `admin` may do everything and `none` nothing.
//! - What cannot be decided, such as an argument that cannot be read, is refused.
//!
//! ```
//! use keyway_policy::Policy;
//!
//! let policy = Policy::parse(
//!     "policy.toml",
//!     r#"
//!     [[role]]
//!     name = "guest"
//!
//!     [[rule]]
//!     name = "guests speak"
//!     role = "guest"
//!     service = "ALTextToSpeech"
//!     allow = ["say", "read:volume", "subscribe:textDone"]
//!     rate = "10/s"
//!
//!     [[rule]]
//!     role = "guest"
//!     service = "ALMotion"
//!     allow = ["setStiffnesses"]
//!     when = "setStiffnesses: #1 <= 0.5"
//!     "#,
//! )?;
//! assert!(policy.explain("guest", "ALTextToSpeech", "say")?.is_allowed());
//! let refused = policy.explain("guest", "ALTextToSpeech", "write:volume")?;
//! assert_eq!(refused.code.unwrap().code(), "KW-P001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Members
//!
//! | text | what |
//! |---|---|
//! | `say`, `get*`, `call:say` | calls of methods by name; `*`, `?` and `[a-z]` are globs |
//! | `add::(ii)` | calls of one overload |
//! | `subscribe:touched` or `signal:touched` | subscriptions of a signal |
//! | `emit:touched` | emitting it from outside, which `*` does not include |
//! | `read:volume`, `write:volume`, `property:volume` | a property; who may read it may subscribe to its changes |
//! | `manage` | statistics and traces (80–86), which `*` does not include |
//! | `register` | registering a service under a name that `service` matches, which `*` does not include |
//! | `*` | when allowed: calls, subscriptions and properties; when denied: everything |
//!
//! Objects that a service returns have rules of their own (`service = "ALVideo.object"`) or are opened by
//! `objects = "allow"` in a rule for the service.

mod access;
mod checker;
mod condition;
mod explain;
mod filter;
mod glob;
mod judge;
mod learn;
mod parse;
mod policy;
mod problem;
mod rate;
mod refusal;
mod replay;
mod rule;
mod selector;
mod source;
mod when;

pub use access::{Decision, Inspection, ServiceAccess};
pub use checker::{Arguments, Checker};
pub use explain::{Explanation, Outcome};
pub use glob::{Glob, GlobError};
pub use learn::{Observed, learn};
pub use policy::Policy;
pub use problem::{PolicyError, Problem, ProblemCode, position};
pub use rate::{RateError, RateId, RateLimiter, RateRefused};
pub use refusal::{Code, Refusal};
pub use replay::{Difference, replay};
pub use rule::RuleId;
pub use selector::{Kind, MemberError};
pub use source::PolicySource;
