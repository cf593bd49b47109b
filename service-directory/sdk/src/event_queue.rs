//! Events on their way to one listener in this process.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use keyway_wire::Flags;
use parking_lot::Mutex;

use crate::exchange::Exchange;

/// An event as it came: payload, its flags, and where its objects live.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) payload: Bytes,
    pub(crate) flags: Flags,
    pub(crate) exchange: Exchange,
}

/// A bounded queue. Overflow rule: the oldest event is dropped and counted, because a listener that fell behind wants
/// the present more than the past, and the connection's task must never wait for it.
pub(crate) struct EventQueue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// With the order of their arrival over all queues.
    events: VecDeque<(u64, Event)>,
    bytes: usize,
    missed: u64,
    interruptions: u32,
    closed: bool,
    waker: Option<Waker>,
}

impl EventQueue {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default() }
    }

    pub(crate) fn push(&self, event: Event) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.bytes += event.payload.len();
        state.events.push_back((ARRIVALS.fetch_add(1, Ordering::Relaxed), event));
        while state.events.len() > MAX_EVENTS || (state.bytes > MAX_BYTES && state.events.len() > 1) {
            if let Some((_, oldest)) = state.events.pop_front() {
                state.bytes -= oldest.payload.len();
                state.missed += 1;
            }
        }
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }

    /// No more events will come; those that are queued are still delivered.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.state.lock();
        match state.events.pop_front() {
            Some((_, event)) => {
                state.bytes -= event.payload.len();
                Poll::Ready(Some(event))
            }
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// When the next event arrived, in the order of all queues. What is pushed by one task has that task's order.
    pub(crate) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut state = self.state.lock();
        match state.events.front() {
            Some((arrival, _)) => Poll::Ready(Some(*arrival)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) fn missed(&self) -> u64 {
        self.state.lock().missed
    }

    /// So many events were lost before they came here.
    pub(crate) fn miss(&self, events: u64) {
        self.state.lock().missed += events;
    }

    /// Nobody knows how many events were lost.
    pub(crate) fn interrupt(&self) {
        self.state.lock().interruptions += 1;
    }

    pub(crate) fn interruptions(&self) -> u32 {
        self.state.lock().interruptions
    }
}

static ARRIVALS: AtomicU64 = AtomicU64::new(0);

const MAX_EVENTS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;
