//! Two ends in one process: a bounded stream of bytes each way.

use std::{
    fmt, io,
    io::IoSlice,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;

use super::{Carrier, PeerAddress};

/// Bytes under way in one direction before a writer has to wait, as much as a socket buffer of the kernel holds.
const CAPACITY: usize = 256 * 1024;
/// An emptied buffer above this size is given back.
const KEPT: usize = 4 * 1024;

/// Makes two connected carriers.
pub fn pair() -> (Arc<dyn Carrier>, Arc<dyn Carrier>) {
    let (there, back) = (Arc::new(Lane::default()), Arc::new(Lane::default()));
    let first = InprocCarrier { incoming: back.clone(), outgoing: there.clone() };
    let second = InprocCarrier { incoming: there, outgoing: back };
    (Arc::new(first), Arc::new(second))
}

struct InprocCarrier {
    incoming: Arc<Lane>,
    outgoing: Arc<Lane>,
}

/// One direction.
#[derive(Default)]
struct Lane(Mutex<LaneState>);

#[derive(Default)]
struct LaneState {
    buffer: BytesMut,
    /// The writer has ended the stream.
    ended: bool,
    /// The reader is gone.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Carrier for InprocCarrier {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.incoming.0.lock();
        if !lane.buffer.is_empty() || lane.ended {
            return Poll::Ready(Ok(()));
        }
        lane.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut lane = self.incoming.0.lock();
        if lane.buffer.is_empty() {
            return if lane.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let length = lane.buffer.len().min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&lane.buffer[..length]);
        lane.buffer.advance(length);
        if lane.buffer.is_empty() && lane.buffer.capacity() > KEPT {
            lane.buffer = BytesMut::new();
        }
        let writer = lane.writer.take();
        drop(lane);
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(length)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.outgoing.0.lock();
        if lane.buffer.len() < CAPACITY || lane.abandoned || lane.ended {
            return Poll::Ready(Ok(()));
        }
        lane.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut lane = self.outgoing.0.lock();
        if lane.abandoned || lane.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = CAPACITY.saturating_sub(lane.buffer.len());
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for slice in slices {
            let length = slice.len().min(room - written);
            lane.buffer.extend_from_slice(&slice[..length]);
            written += length;
        }
        let reader = lane.reader.take();
        drop(lane);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(written)
    }

    fn shutdown(&self) {
        let mut lane = self.outgoing.0.lock();
        lane.ended = true;
        wake_both(lane);
    }

    fn peer(&self) -> &PeerAddress {
        &PeerAddress::Inproc
    }
}

impl Drop for InprocCarrier {
    fn drop(&mut self) {
        self.shutdown();
        let mut lane = self.incoming.0.lock();
        lane.abandoned = true;
        lane.buffer = BytesMut::new();
        wake_both(lane);
    }
}

impl fmt::Debug for InprocCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InprocCarrier").finish_non_exhaustive()
    }
}

fn wake_both(mut lane: parking_lot::MutexGuard<'_, LaneState>) {
    let (reader, writer) = (lane.reader.take(), lane.writer.take());
    // A waker may run code of its own: never with the lock held.
    drop(lane);
    for waker in [reader, writer].into_iter().flatten() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_end_writes_the_other_end_reads_and_then_sees_the_end() {
        let (left, right) = pair();
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(left.try_write_vectored(&slices).unwrap(), 3);
        drop(left);
        let mut buffer = BytesMut::with_capacity(16);
        assert_eq!(right.try_read(&mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..], b"abc");
        assert_eq!(right.try_read(&mut buffer).unwrap(), 0);
        let error = right.try_write_vectored(&slices).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_lane_blocks_the_writer_until_something_is_read() {
        let (left, right) = pair();
        let much = vec![7; CAPACITY + 1];
        assert_eq!(left.try_write_vectored(&[IoSlice::new(&much)]).unwrap(), CAPACITY);
        let error = left.try_write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let mut context = Context::from_waker(Waker::noop());
        assert!(left.poll_write_ready(&mut context).is_pending());
        let mut buffer = BytesMut::with_capacity(CAPACITY);
        assert!(right.try_read(&mut buffer).unwrap() > 0);
        assert!(left.poll_write_ready(&mut context).is_ready());
    }
}
