//! Messages in pieces: those that come are joined within limits, those that go are cut.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Of the message.
    pub id: String,
    /// Its text.
    pub data: String,
    /// Its place, from 0.
    pub num: usize,
    /// How many there are.
    pub total: usize,
}

/// Why a piece is refused; its message is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// It says that there are none, or more than anybody needs, or that it is not one of them.
    #[error("a message has 1 to {MOST_PIECES} fragments, numbered from 0")]
    Count,
    /// Pieces of one message say different totals, or one came twice.
    #[error("the fragments contradict each other")]
    Contradiction,
    /// The pieces are larger than a message may be.
    #[error("the fragments are larger than {MOST_BYTES} bytes")]
    TooLarge,
}

/// Messages that are not complete. Overflow rule: the oldest message is given up.
#[derive(Debug, Default)]
pub struct Fragments {
    unfinished: HashMap<String, Unfinished>,
    bytes: usize,
}

#[derive(Debug)]
struct Unfinished {
    began: Instant,
    pieces: Vec<Option<String>>,
    missing: usize,
    bytes: usize,
}

impl Fragments {
    /// Takes a piece; gives the message when it was the last that was missing.
    pub fn add(&mut self, now: Instant, fragment: Fragment) -> Result<Option<String>, FragmentError> {
        let Fragment { id, data, num, total } = fragment;
        if total == 0 || total > MOST_PIECES || num >= total {
            self.give_up(&id);
            return Err(FragmentError::Count);
        }
        let late = self.unfinished.iter().filter(|(_, old)| now.duration_since(old.began) > PATIENCE);
        let late: Vec<_> = late.map(|(id, _)| id.clone()).collect();
        for id in late {
            self.give_up(&id);
        }
        let known = self.unfinished.get(&id);
        let contradicts = |old: &Unfinished| old.pieces.len() != total || old.pieces[num].is_some();
        if known.is_some_and(contradicts) {
            self.give_up(&id);
            return Err(FragmentError::Contradiction);
        }
        if known.map_or(0, |old| old.bytes) + data.len() > MOST_BYTES {
            self.give_up(&id);
            return Err(FragmentError::TooLarge);
        }
        while self.bytes + data.len() > MOST_BYTES_IN_ALL
            || (self.unfinished.len() >= MOST_MESSAGES && !self.unfinished.contains_key(&id))
        {
            let others = self.unfinished.iter().filter(|(other, _)| **other != id);
            let Some(oldest) = others.min_by_key(|(_, old)| old.began).map(|(id, _)| id.clone()) else { break };
            self.give_up(&oldest);
        }
        let empty = || Unfinished { began: now, pieces: vec![None; total], missing: total, bytes: 0 };
        let message = self.unfinished.entry(id.clone()).or_insert_with(empty);
        self.bytes += data.len();
        message.bytes += data.len();
        message.missing -= 1;
        message.pieces[num] = Some(data);
        if message.missing > 0 {
            return Ok(None);
        }
        self.bytes -= message.bytes;
        let whole = self.unfinished.remove(&id);
        Ok(whole.map(|whole| whole.pieces.into_iter().flatten().collect()))
    }

    fn give_up(&mut self, id: &str) {
        if let Some(message) = self.unfinished.remove(id) {
            self.bytes -= message.bytes;
        }
    }
}

/// A message in pieces of at most `size` bytes of text; one piece is the message itself.
pub fn cut(text: String, size: usize, id: &str) -> Vec<String> {
    if size == 0 || text.len() <= size {
        return vec![text];
    }
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // A letter of four bytes goes whole, however small the pieces are.
        let end = (1..=size.max(4).min(rest.len())).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    let total = pieces.len();
    let piece = |(num, data)| json!({"op": "fragment", "id": id, "data": data, "num": num, "total": total}).to_string();
    pieces.into_iter().enumerate().map(piece).collect()
}

/// The fields of a `fragment` message.
pub(crate) fn read(message: &serde_json::Map<String, Json>) -> Option<Fragment> {
    let number = |name| message.get(name)?.as_u64().and_then(|number| usize::try_from(number).ok());
    let id = match message.get("id")? {
        Json::String(id) => id.clone(),
        id @ Json::Number(_) => id.to_string(),
        _ => return None,
    };
    let data = message.get("data")?.as_str()?.to_owned();
    Some(Fragment { id, data, num: number("num")?, total: number("total")? })
}

const MOST_PIECES: usize = 4096;
const MOST_MESSAGES: usize = 16;
const MOST_BYTES: usize = 16 << 20;
const MOST_BYTES_IN_ALL: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: &str, num: usize, total: usize, data: &str) -> Fragment {
        Fragment { id: id.to_owned(), data: data.to_owned(), num, total }
    }

    #[test]
    fn pieces_come_in_any_order_and_mixed() {
        let (mut fragments, now) = (Fragments::default(), Instant::now());
        assert_eq!(fragments.add(now, piece("a", 1, 2, "lo")), Ok(None));
        assert_eq!(fragments.add(now, piece("b", 0, 1, "whole")), Ok(Some("whole".to_owned())));
        assert_eq!(fragments.add(now, piece("a", 0, 2, "hel")), Ok(Some("hello".to_owned())));
        assert_eq!((fragments.bytes, fragments.unfinished.len()), (0, 0));
    }

    #[test]
    fn what_is_cut_is_joined_again() {
        let text = "aé€😀".repeat(50);
        for size in [1, 2, 3, 4, 5, 7, 100, 1000] {
            let (mut fragments, now) = (Fragments::default(), Instant::now());
            let pieces = cut(text.clone(), size, "x");
            if let [whole] = &pieces[..] {
                assert_eq!(*whole, text);
                continue;
            }
            let mut joined = None;
            for piece in pieces {
                let Ok(Json::Object(piece)) = serde_json::from_str(&piece) else { panic!("{piece}") };
                joined = fragments.add(now, read(&piece).unwrap()).unwrap();
            }
            assert_eq!(joined.as_ref(), Some(&text), "{size}");
        }
    }

    #[test]
    fn lies_and_floods_are_refused() {
        let (mut fragments, now) = (Fragments::default(), Instant::now());
        assert_eq!(fragments.add(now, piece("a", 0, MOST_PIECES + 1, "")), Err(FragmentError::Count));
        assert_eq!(fragments.add(now, piece("a", 2, 2, "")), Err(FragmentError::Count));
        assert_eq!(fragments.add(now, piece("a", 0, 0, "")), Err(FragmentError::Count));
        fragments.add(now, piece("a", 0, 3, "x")).unwrap();
        assert_eq!(fragments.add(now, piece("a", 0, 3, "x")), Err(FragmentError::Contradiction));
        fragments.add(now, piece("a", 0, 3, "x")).unwrap();
        assert_eq!(fragments.add(now, piece("a", 1, 4, "x")), Err(FragmentError::Contradiction));
        let large = "x".repeat(MOST_BYTES);
        fragments.add(now, piece("a", 0, 3, &large)).unwrap();
        assert_eq!(fragments.add(now, piece("a", 1, 3, "x")), Err(FragmentError::TooLarge));
        for id in 0..100 {
            fragments.add(now, piece(&id.to_string(), 0, 2, "x")).unwrap();
        }
        assert_eq!(fragments.unfinished.len(), MOST_MESSAGES);
        for id in 0..10 {
            fragments.add(now, piece(&format!("large {id}"), 0, 2, &large)).unwrap();
            assert!(fragments.bytes <= MOST_BYTES_IN_ALL);
        }
        fragments.add(now + PATIENCE * 2, piece("last", 0, 2, "x")).unwrap();
        assert_eq!((fragments.unfinished.len(), fragments.bytes), (1, 1), "what was not completed in time is gone");
    }
}
