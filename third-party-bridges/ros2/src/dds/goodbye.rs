//! Tells others that a participant has left.
//!
//! The library tells them too, but names what has left in a way that Fast DDS ignores: as a key of more than 16 bytes, without its
//! hash (rustdds 0.15.1). Fast DDS would show the participant, and everything that it had, until its lease is over. It does
//! understand the same for a whole participant in the form that is written here (RTPS 2.5, 8.3.8.2 and 9.6.4.8).

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
};

use rustdds::GUID;

/// Says it to all participants of this machine.
pub(super) fn say(domain: u16, participant: GUID) -> io::Result<()> {
    let message = message(participant);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    for port in ports(domain) {
        // Where nobody listens, the system says so to the next one that is sent.
        let _ = socket.send_to(&message, (Ipv4Addr::LOCALHOST, port));
    }
    Ok(())
}

/// Where participants of a domain listen to what others say of themselves (RTPS 2.5, 9.6.2.4).
fn ports(domain: u16) -> impl Iterator<Item = u16> {
    (0..PARTICIPANTS).filter_map(move |number| 7410_u16.checked_add(domain.checked_mul(250)?)?.checked_add(2 * number))
}

/// A domain has ports for so many on one machine.
const PARTICIPANTS: u16 = 120;

/// A message of one part: that the participant is disposed of and unregistered.
fn message(participant: GUID) -> Vec<u8> {
    let guid = participant.to_bytes();
    let mut message = b"RTPS\x02\x04\x01\x12".to_vec();
    message.extend_from_slice(&guid[..12]);
    // DATA, little endian, with parameters and without a body.
    message.extend_from_slice(&[0x15, 0x03, 52, 0, 0, 0, 16, 0]);
    // From the writer of such messages to their readers; a later number than that of any other.
    message.extend_from_slice(&[0, 1, 0, 0xc7, 0, 1, 0, 0xc2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]);
    // The key's hash: the participant.
    message.extend_from_slice(&[0x70, 0, 16, 0]);
    message.extend_from_slice(&guid);
    // Its status, and the end.
    message.extend_from_slice(&[0x71, 0, 4, 0, 0, 0, 0, 3, 1, 0, 0, 0]);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_as_long_as_it_says_and_names_the_participant() {
        let guid = GUID::from_bytes(*b"0123456789ab\0\0\x01\xc1");
        let message = message(guid);
        assert_eq!(&message[8..20], b"0123456789ab");
        assert_eq!(message.len(), 24 + usize::from(message[22]));
        assert_eq!(message.windows(16).filter(|part| *part == guid.to_bytes()).count(), 1);
    }

    #[test]
    fn ports_are_those_of_the_domain() {
        assert_eq!(ports(0).take(2).collect::<Vec<_>>(), [7410, 7412]);
        assert_eq!(ports(7).next(), Some(7410 + 1750));
        assert_eq!(ports(232).filter(|port| *port < 7410).count(), 0);
    }
}
