//! Frames that the other end may not have.

use std::collections::VecDeque;

use keyway_wire::{Frame, Header};

use super::{ResumeBounds, ResumeFailure};

/// Numbered frames, kept until they are acknowledged. Payloads are shared, not copied.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    kept: VecDeque<Frame>,
    bytes: usize,
    /// The number of the last frame that is acknowledged, which is before the first that is kept.
    acknowledged: u64,
}

impl Outgoing {
    pub(super) fn push(&mut self, frame: Frame, bounds: &ResumeBounds) -> Result<u64, ResumeFailure> {
        // A frame that is larger than the bound is sent all the same when it is the only one.
        let bytes = self.bytes + size(&frame);
        if self.kept.len() >= bounds.frames || (bytes > bounds.bytes && !self.kept.is_empty()) {
            return Err(ResumeFailure::Full);
        }
        self.bytes = bytes;
        self.kept.push_back(frame);
        Ok(self.last())
    }

    pub(super) fn acknowledge(&mut self, number: u64) -> Result<(), ResumeFailure> {
        if number > self.last() || number < self.acknowledged {
            return Err(ResumeFailure::Violation);
        }
        while self.acknowledged < number
            && let Some(frame) = self.kept.pop_front()
        {
            self.bytes -= size(&frame);
            self.acknowledged += 1;
        }
        Ok(())
    }

    pub(super) fn kept(&self) -> Vec<(u64, Frame)> {
        (self.acknowledged + 1..).zip(self.kept.iter().cloned()).collect()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn last(&self) -> u64 {
        self.acknowledged + self.kept.len() as u64
    }
}

fn size(frame: &Frame) -> usize {
    Header::SIZE + frame.payload.len()
}
