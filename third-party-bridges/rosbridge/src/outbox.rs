//! What waits to be sent to one client. Overflow rule: the oldest messages of topics go, answers never; a client that does not take
//! its answers is disconnected.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    dropped: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    /// Whether it may be left out.
    is_event: bool,
}

impl Outbox {
    /// An answer, which is not left out.
    pub(crate) fn answer(&self, message: impl Into<Message>) {
        self.push(message.into(), false);
    }

    /// A message of a topic, which is left out when there are too many.
    pub(crate) fn event(&self, message: impl Into<Message>) {
        self.push(message.into(), true);
    }

    fn push(&self, message: Message, is_event: bool) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        state.bytes += message.len();
        state.waiting.push_back(Waiting { message, is_event });
        while state.bytes > MOST_BYTES {
            let Some(oldest) = state.waiting.iter().position(|waiting| waiting.is_event) else { break };
            if let Some(gone) = state.waiting.remove(oldest) {
                state.bytes -= gone.message.len();
                state.dropped += 1;
            }
        }
        // All of it answers that the client does not take.
        if state.bytes > 2 * MOST_BYTES {
            state.is_closed = true;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Everything that waits; `None` when there will be no more.
    pub(crate) async fn next(&self) -> Option<Vec<Message>> {
        loop {
            {
                let mut state = self.state.lock();
                if state.is_closed {
                    return None;
                }
                if !state.waiting.is_empty() {
                    state.bytes = 0;
                    return Some(state.waiting.drain(..).map(|waiting| waiting.message).collect());
                }
            }
            self.changed.notified().await;
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_one();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

const MOST_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_go_before_answers_do_and_who_takes_no_answers_is_given_up() {
        let outbox = Outbox::default();
        let large = "x".repeat(MOST_BYTES / 4);
        outbox.answer(large.clone());
        for number in 0..10 {
            outbox.event(format!("{number}{large}"));
        }
        assert_eq!(outbox.dropped(), 8);
        let sent = outbox.next().await.unwrap();
        let first: Vec<_> = sent.iter().map(|message| &message.to_text().unwrap()[..1]).collect();
        assert_eq!(first, ["x", "8", "9"]);
        for _ in 0..9 {
            outbox.answer(large.clone());
        }
        assert_eq!(outbox.next().await, None);
    }
}
