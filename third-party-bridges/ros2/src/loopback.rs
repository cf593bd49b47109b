//! Keeps sockets that somebody else opens on loopback (DDS-3).

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::fd::{OwnedFd, RawFd},
};

use rustix::{
    io::Errno,
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use socket2::{Domain, Socket, Type};

/// Runs `open`, and ties the UDP sockets that are there afterwards and were not before to the interface `lo`: nothing comes in or
/// goes out by another.
///
/// DDS listens on all addresses whatever it is told, and its library gives nobody its sockets. A socket that another thread opens
/// in the same moment is tied as well; it is opened again by its owner when nothing comes.
pub(crate) fn confined<T, E: From<io::Error>>(open: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let before = sockets()?;
    let opened = open()?;
    let own = pidfd_open(getpid(), PidfdFlags::empty()).map_err(io::Error::from)?;
    let mut tied = 0;
    for (number, name) in sockets()? {
        if before.get(&number) == Some(&name) {
            continue;
        }
        // A descriptor of the same socket that is ours, without borrowing what may be closed meanwhile.
        let copy: OwnedFd = match pidfd_getfd(&own, number, PidfdGetfdFlags::empty()) {
            // Another thread has closed it since: it is not the library's.
            Err(Errno::BADF) => continue,
            copy => copy.map_err(io::Error::from)?,
        };
        let socket = Socket::from(copy);
        let is_udp = socket.r#type()? == Type::DGRAM && matches!(socket.domain()?, Domain::IPV4 | Domain::IPV6);
        if is_udp {
            socket.bind_device(Some(b"lo"))?;
            tied += 1;
        }
    }
    if tied == 0 {
        return Err(io::Error::other("none of its sockets is found").into());
    }
    Ok(opened)
}

/// The sockets of this process by their descriptors, with names that no other socket has.
fn sockets() -> io::Result<BTreeMap<RawFd, OsString>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A descriptor may be closed while they are listed: that of the list is.
        let (Some(number), Ok(target)) = (number, fs::read_link(entry.path())) else { continue };
        if target.to_string_lossy().starts_with("socket:") {
            found.insert(number, target.into_os_string());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        thread,
    };

    use socket2::SockRef;

    use super::*;

    #[test]
    fn what_is_opened_is_tied_to_loopback_and_what_was_there_is_not() {
        let before = UdpSocket::bind("0.0.0.0:0").unwrap();
        let open = || Ok::<_, io::Error>([UdpSocket::bind("0.0.0.0:0")?, UdpSocket::bind("127.0.0.1:0")?]);
        let opened = confined(open).unwrap();
        let device = |socket: &UdpSocket| SockRef::from(socket).device().unwrap();
        assert_eq!(device(&before), None);
        for socket in &opened {
            assert_eq!(device(socket).as_deref(), Some(&b"lo"[..]));
        }
        // Here, as another test that opens sockets at the same time would disturb.
        let error = confined(|| Err::<(), _>(io::Error::other("no"))).unwrap_err();
        assert_eq!(error.to_string(), "no");
        assert!(confined(|| Ok::<_, io::Error>(())).is_err(), "a library that opens nothing is not understood");

        // Other threads close what they had when the sockets were listed.
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    drop(TcpListener::bind("127.0.0.1:0").unwrap());
                }
            });
            let opened: Vec<_> = (0..500).map(|_| confined(|| UdpSocket::bind("0.0.0.0:0"))).collect();
            is_over.store(true, Relaxed);
            for socket in opened {
                assert_eq!(device(&socket.unwrap()).as_deref(), Some(&b"lo"[..]));
            }
        });
    }
}
