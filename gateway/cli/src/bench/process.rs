//! What the system knows of the measured process.

use std::{fs, net::SocketAddr};

use anyhow::{Context, anyhow};

use super::socket::Address;

/// Resident memory of a process in KiB.
pub(super) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("there is no process {pid}, or it died"))?;
    field(&status, "VmRSS:").ok_or_else(|| anyhow!("process {pid} has no memory: it died"))
}

/// How many files this process may have open.
pub(super) fn open_files_limit() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The measured process: the one that was named, or the one that listens.
pub(super) fn named_or_listening(pid: Option<u32>, address: &Address) -> anyhow::Result<u32> {
    let pid = pid.or_else(|| listener(address.socket, address.url.is_quic()));
    pid.ok_or_else(|| anyhow!("cannot find the process that listens on {}: pass it with --pid", address.url))
}

/// The process of this machine that listens on an address, if we may know.
fn listener(address: SocketAddr, is_udp: bool) -> Option<u32> {
    // A socket that has no peer is in state 07 if it is UDP's.
    let (table, state) = if is_udp { ("/proc/net/udp", "07") } else { ("/proc/net/tcp", "0A") };
    let table = fs::read_to_string(table).ok()?;
    let inode = listening_inode(&table, address.port(), state)?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| link.as_os_str() == wanted.as_str())
    })
}

/// The socket that listens on a port: columns are number, local address, remote address, state, …, and the
/// tenth is the inode.
fn listening_inode<'a>(table: &'a str, port: u16, state: &str) -> Option<&'a str> {
    let suffix = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let listens = columns.get(1)?.ends_with(&suffix) && *columns.get(3)? == state;
        if listens { columns.get(9).copied() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_by_its_port_and_has_memory() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(listener(socket.local_addr().unwrap(), false), Some(std::process::id()));
        assert!(resident_kib(std::process::id()).unwrap() > 100);
        assert!(open_files_limit().unwrap() > 0);
    }
}
