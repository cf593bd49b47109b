//! What happened: the audit log of a gateway, and the window from which missed events are replayed.
//!
//! It knows nothing of sessions, doors or policy: whoever decides says what to record, and at what time it happened. The types
//! to know are [`audit::AuditLog`], which writes; [`audit::verify`] and [`audit::Reader`], which read; and [`EventWindow`].
//!
//! ```
//! use std::{sync::Arc, time::{Duration, SystemTime}};
//! use keyway_history::audit::{self, AuditLog, Caller, Kind, Operation, Options, Outcome, Record};
//!
//! # let folder = std::env::temp_dir().join(format!("keyway-history-{}", std::process::id()));
//! let log = AuditLog::open(&folder, Options::default())?;
//! let caller = Arc::new(Caller { identity: "alice".into(), door: "tcps".into(), ..Caller::default() });
//! let recorder = log.recorder();
//! // Before the call: room for its record, or a reason to refuse the call.
//! let slot = recorder.reserve()?;
//! slot.record(Record {
//!     time: SystemTime::now(),
//!     operation: Arc::new(Operation {
//!         caller,
//!         service: "ALMotion".into(),
//!         member: "moveTo".into(),
//!         kind: Kind::Call,
//!     }),
//!     outcome: Outcome::Ok,
//!     duration: Duration::from_micros(350),
//!     arguments: None,
//! });
//! log.close()?;
//! assert!(audit::verify(&folder)?.problem.is_none());
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod audit;
mod window;

pub use window::{Bounds, Event, EventWindow, Gap, NotGivenOut, Replay};
