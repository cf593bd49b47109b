//! Host names to addresses, and wildcard addresses to those of the interfaces.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// What `host` resolves to, IPv4 only unless `ipv6` (spec 1.5); never empty.
pub(crate) async fn addresses(host: &str, port: u16, ipv6: bool) -> io::Result<Vec<SocketAddr>> {
    // A numeric address needs no resolver thread.
    let found: Vec<SocketAddr> = match host.parse::<Ipv4Addr>() {
        Ok(ip) => vec![(ip, port).into()],
        Err(_) => {
            let resolved = tokio::net::lookup_host((host, port)).await?;
            resolved.filter(|address| ipv6 || address.is_ipv4()).collect()
        }
    };
    if found.is_empty() {
        let text = format!("no usable address for host '{host}'");
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
    }
    Ok(found)
}

/// The IPv4 address of every interface, loopback included (spec 1.7), without repetition.
pub(crate) fn interface_addresses() -> io::Result<Vec<Ipv4Addr>> {
    let mut found: Vec<Ipv4Addr> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_resolve_to_ipv4_addresses_by_default() {
        let found = addresses("localhost", 9559, false).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.is_ipv4() && address.port() == 9559));
    }

    #[test]
    fn the_loopback_interface_is_among_the_addresses() {
        assert!(interface_addresses().unwrap().contains(&Ipv4Addr::LOCALHOST));
    }
}
