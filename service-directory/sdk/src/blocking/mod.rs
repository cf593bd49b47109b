//! The same session, proxies and signals for programs without a runtime of their own.
//!
//! Names and behaviour are those of the asynchronous types; what waits there blocks here. A shared runtime works behind
//! it. Don't call it from within an asynchronous task: use the asynchronous types there.
//!
//! ```
//! use keyway::{Object, blocking::{Directory, Session}};
//!
//! let directory = Directory::start(keyway::Directory::builder().listen("tcp://127.0.0.1:0"))?;
//! let session = Session::connect(&directory.urls()[0])?;
//! let mut builder = Object::builder();
//! builder.method("twice", |(n,): (i32,)| 2 * n);
//! session.register("Twice", builder)?;
//! let twice = session.service("Twice")?;
//! assert_eq!(twice.call::<i32>("twice", (21,)).wait()?, 42);
//! # Ok::<(), keyway::Error>(())
//! ```

mod proxy;
mod session;

use std::{future::Future, sync::LazyLock};

use tokio::runtime::{Builder, Runtime};

pub use proxy::{Call, Proxy, SignalStream};
pub use session::{Directory, ServiceEvents, Session};

/// The runtime behind all blocking sessions of the process. Two threads: one may be busy in a service's method while
/// the other keeps the connections going.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("keyway-blocking").enable_all().build();
    match runtime {
        Ok(runtime) => runtime,
        // Without threads there is nothing this module could do for its caller.
        Err(error) => panic!("cannot start the threads of keyway::blocking: {error}"),
    }
});

fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}
