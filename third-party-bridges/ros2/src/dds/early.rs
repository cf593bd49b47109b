//! Responses to clients of whom nobody knows yet that they listen: their requests may be here before.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::request::RequestId;

/// A response: to which request, of which participant.
pub(super) type Response = (RequestId, [u8; 12], Bytes);

/// Responses that wait for that, in their order.
#[derive(Debug, Default)]
pub(super) struct Early {
    waiting: VecDeque<(Instant, Response)>,
    bytes: usize,
}

impl Early {
    pub(super) fn keep(&mut self, now: Instant, response: Response) {
        self.bytes += response.2.len();
        self.waiting.push_back((now + PATIENCE, response));
    }

    /// The next one to be sent: its client listens, has had its time, or there are too many.
    pub(super) fn take(&mut self, now: Instant, listens: impl Fn(&[u8; 12]) -> bool) -> Option<Response> {
        let is_full = self.waiting.len() > MOST || self.bytes > MOST_BYTES;
        let is_ready = |(due, (_, client, _)): &(Instant, Response)| *due <= now || listens(client);
        let next = if is_full { Some(0) } else { self.waiting.iter().position(is_ready) };
        let (_, response) = self.waiting.remove(next?)?;
        self.bytes -= response.2.len();
        Some(response)
    }

    /// When the first has had its time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _)| *due)
    }
}

/// How long a client that asks is waited for. On a busy machine 250 ms were not enough.
const PATIENCE: Duration = Duration::from_secs(5);
/// Responses that wait, and their bytes.
const MOST: usize = 64;
const MOST_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: [u8; 12] = [1; 12];
    const LATE: [u8; 12] = [2; 12];

    fn response(client: [u8; 12], number: i64) -> Response {
        (RequestId::Sample([0; 16], number), client, Bytes::from_static(b"body"))
    }

    fn numbers(early: &mut Early, now: Instant, listens: &[[u8; 12]]) -> Vec<i64> {
        let next = || early.take(now, |client| listens.contains(client));
        let taken = std::iter::from_fn(next);
        let number = |(id, ..): Response| if let RequestId::Sample(_, number) = id { number } else { 0 };
        taken.map(number).collect()
    }

    #[test]
    fn who_listens_is_answered_at_once_and_waits_for_nobody_else() {
        let (mut early, now) = (Early::default(), Instant::now());
        for (client, number) in [(LATE, 1), (QUICK, 2), (LATE, 3), (QUICK, 4)] {
            early.keep(now, response(client, number));
        }
        assert_eq!(numbers(&mut early, now, &[QUICK]), [2, 4]);
        assert_eq!(numbers(&mut early, now, &[QUICK]), [0; 0]);
        assert_eq!(numbers(&mut early, now, &[QUICK, LATE]), [1, 3], "in their order");
        assert_eq!((early.due(), early.bytes), (None, 0));
    }

    #[test]
    fn who_does_not_listen_is_answered_all_the_same_after_a_while() {
        let (mut early, now) = (Early::default(), Instant::now());
        early.keep(now, response(LATE, 1));
        early.keep(now + PATIENCE / 2, response(LATE, 2));
        assert_eq!(early.due(), Some(now + PATIENCE));
        assert_eq!(numbers(&mut early, now + PATIENCE, &[]), [1]);
        assert_eq!(numbers(&mut early, now + PATIENCE * 2, &[]), [2]);
    }

    #[test]
    fn only_so_many_wait() {
        let (mut early, now) = (Early::default(), Instant::now());
        for number in 0..1000 {
            early.keep(now, response(LATE, number));
            while early.take(now, |_| false).is_some() {}
        }
        assert_eq!(early.waiting.len(), MOST);
        early.keep(now, (RequestId::Sample([0; 16], 0), LATE, vec![0; MOST_BYTES].into()));
        while early.take(now, |_| false).is_some() {}
        assert_eq!((early.waiting.len(), early.bytes), (1, MOST_BYTES));
    }
}
