//! The way to one subscriber.

use std::{
    collections::VecDeque,
    io::{ErrorKind, IoSlice},
    time::Duration,
};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::{
    io::AsyncReadExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    time::timeout,
};

/// Messages that wait for one subscriber. Overflow rule: the oldest goes. It never keeps others waiting.
#[derive(Default)]
pub(super) struct Link {
    /// Who it says it is.
    pub(super) caller: String,
    /// What may wait for it while it takes nothing.
    limit: usize,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
    /// The subscriber takes nothing at the moment.
    is_stalled: bool,
    is_closed: bool,
}

impl Link {
    pub(super) fn new(caller: &str, limit: usize) -> Self {
        Self { caller: caller.to_owned(), limit: limit.clamp(1, BURST), ..Self::default() }
    }

    pub(super) fn push(&self, message: Bytes) {
        let mut queue = self.queue.lock();
        queue.bytes += message.len();
        queue.messages.push_back(message);
        // Who keeps up gets everything, even if its task has not run for a moment.
        let limit = if queue.is_stalled { self.limit } else { BURST };
        while queue.messages.len() > limit || (queue.bytes > MAX_BYTES && queue.messages.len() > 1) {
            if let Some(oldest) = queue.messages.pop_front() {
                queue.bytes -= oldest.len();
                queue.dropped += 1;
            }
        }
        drop(queue);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.queue.lock().is_closed = true;
        self.changed.notify_one();
    }

    pub(super) fn dropped(&self) -> u64 {
        self.queue.lock().dropped
    }

    /// Sends what there is until one end has enough; says why it ended.
    pub(super) async fn run(&self, stream: TcpStream) -> &'static str {
        let (reader, writer) = stream.into_split();
        tokio::select! {
            why = self.write(&writer) => why,
            why = closed(reader) => why,
        }
    }

    async fn write(&self, writer: &OwnedWriteHalf) -> &'static str {
        loop {
            let mut batch = {
                let mut queue = self.queue.lock();
                if queue.is_closed {
                    return "the topic ended";
                }
                queue.bytes = 0;
                std::mem::take(&mut queue.messages)
            };
            if batch.is_empty() {
                self.changed.notified().await;
                continue;
            }
            while !batch.is_empty() {
                let slices: Vec<IoSlice<'_>> = batch.iter().take(64).map(|message| IoSlice::new(message)).collect();
                match writer.try_write_vectored(&slices) {
                    Ok(written) => advance(&mut batch, written),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if let Err(why) = self.stalled(writer, &mut batch).await {
                            return why;
                        }
                    }
                    Err(_) => return "the connection broke",
                }
            }
        }
    }

    /// Waits until the subscriber takes something again. What it has not begun to take goes back to where the oldest is dropped.
    async fn stalled(&self, writer: &OwnedWriteHalf, batch: &mut VecDeque<Bytes>) -> Result<(), &'static str> {
        {
            let mut queue = self.queue.lock();
            queue.is_stalled = true;
            while batch.len() > 1
                && let Some(message) = batch.pop_back()
            {
                queue.bytes += message.len();
                queue.messages.push_front(message);
            }
        }
        loop {
            match timeout(PATIENCE, writer.writable()).await {
                Ok(Ok(())) => {
                    self.queue.lock().is_stalled = false;
                    return Ok(());
                }
                Ok(Err(_)) => return Err("the connection broke"),
                Err(_) if self.queue.lock().messages.len() >= self.limit => return Err("it takes nothing"),
                Err(_) => {}
            }
        }
    }
}

/// Waits until the subscriber closes; it has nothing to say.
async fn closed(mut reader: OwnedReadHalf) -> &'static str {
    let mut ignored = [0; 256];
    loop {
        match reader.read(&mut ignored).await {
            Ok(0) | Err(_) => return "it closed",
            Ok(_) => {}
        }
    }
}

fn advance(batch: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = batch.front_mut() {
        if written < first.len() {
            first.advance(written);
            return;
        }
        written -= first.len();
        batch.pop_front();
    }
}

/// What may wait for a subscriber that takes what it is given.
const BURST: usize = 1024;
const MAX_BYTES: usize = 16 << 20;
/// How long a subscriber may take nothing while its queue is full.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_message_goes_when_a_subscriber_takes_nothing() {
        const WAITING: usize = 10;
        let link = Link::new("/slow", WAITING);
        link.queue.lock().is_stalled = true;
        for number in 0..WAITING + 5 {
            link.push(Bytes::from(vec![u8::try_from(number).unwrap()]));
        }
        assert_eq!(link.dropped(), 5);
        assert_eq!(link.queue.lock().messages.front().unwrap()[..], [5]);
    }

    #[test]
    fn large_messages_are_bounded_by_their_bytes() {
        let link = Link::new("/slow", 10);
        let large = Bytes::from(vec![0; MAX_BYTES / 2 + 1]);
        link.push(large.clone());
        link.push(large);
        assert_eq!((link.dropped(), link.queue.lock().messages.len()), (1, 1));
    }

    #[test]
    fn what_is_written_in_part_goes_on_where_it_stopped() {
        let mut batch =
            VecDeque::from([Bytes::from_static(b"abc"), Bytes::from_static(b"de"), Bytes::from_static(b"f")]);
        advance(&mut batch, 4);
        assert_eq!(batch, [Bytes::from_static(b"e"), Bytes::from_static(b"f")]);
        advance(&mut batch, 2);
        assert!(batch.is_empty());
    }
}
