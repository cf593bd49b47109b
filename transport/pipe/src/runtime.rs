//! The network thread pool.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Builds the runtime everything that does I/O runs on: `threads` of them, or as many as there are cores.
pub fn build(threads: Option<usize>) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.max(1));
    }
    builder.thread_name("keyway-net").enable_all().build()
}
