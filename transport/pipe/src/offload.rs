//! CPU work off the network threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::LazyLock,
    time::Duration,
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

/// Work below this stays where it is: the way to the pool and back costs about 10 µs (style 9).
pub const INLINE_BELOW: Duration = Duration::from_micros(100);

/// Jobs in the pool for each of its threads; more wait at their callers, which is the bound of the queue.
const JOBS_PER_THREAD: usize = 4;

/// Runs `work`, which is expected to take `cost`: at once when that is short, in the pool of CPU threads otherwise.
///
/// Waits for room in the pool first; that holds up the one connection that asks, and nothing else. When the returned
/// future is dropped, work that has begun is finished and its result dropped.
///
/// # Panics
///
/// When `work` panics, in the caller's task.
pub async fn run<T, F>(cost: Duration, work: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if cost < INLINE_BELOW {
        return work();
    }
    let Some(pool) = POOL.as_ref() else {
        return work();
    };
    // The semaphore is never closed; were it, running here is still right.
    let Ok(permit) = pool.room.acquire().await else {
        return work();
    };
    let (done, result) = oneshot::channel();
    pool.threads.spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        drop(permit);
        // The caller may have lost interest.
        let _ = done.send(result);
    });
    match result.await {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => unreachable!("the job sends its result, or its panic, before it ends"),
    }
}

struct Pool {
    threads: ThreadPool,
    room: Semaphore,
}

/// `None` where the system refuses threads; work is done inline then.
static POOL: LazyLock<Option<Pool>> = LazyLock::new(|| {
    let threads = ThreadPoolBuilder::new().thread_name(|index| format!("keyway-cpu-{index}")).build();
    match threads {
        Ok(threads) => {
            let room = Semaphore::new(threads.current_num_threads() * JOBS_PER_THREAD);
            Some(Pool { threads, room })
        }
        Err(error) => {
            tracing::warn!(%error, "no threads for CPU work, it runs on the network threads");
            None
        }
    }
});

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn cheap_work_stays_on_the_thread() {
        let here = thread::current().id();
        assert_eq!(run(Duration::from_micros(5), move || thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn dear_work_goes_to_the_pool() {
        let here = thread::current().id();
        assert_ne!(run(Duration::from_millis(5), move || thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn more_work_than_the_bound_is_all_done() {
        let jobs: Vec<_> = (0..500_u64).map(|n| tokio::spawn(run(Duration::from_millis(1), move || n))).collect();
        let mut sum = 0;
        for job in jobs {
            sum += job.await.unwrap();
        }
        assert_eq!(sum, 499 * 500 / 2);
    }

    #[tokio::test]
    async fn a_panic_of_the_work_reaches_its_caller_only() {
        let job = tokio::spawn(run(Duration::from_millis(1), || panic!("as the test wants")));
        assert!(job.await.unwrap_err().is_panic());
        assert_eq!(run(Duration::from_millis(1), || 7).await, 7);
    }
}
