//! Who is at the other end of a loopback connection: the socket's inode, as the kernel's table tells it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

/// The inode of the socket that is connected from `peer` to `local`, where the table has it.
pub(crate) fn inode(peer: SocketAddr, local: SocketAddr) -> Option<u64> {
    let (SocketAddr::V4(peer), SocketAddr::V4(local)) = (peer, local) else { return None };
    // A socket that speaks IPv6 stands in the other table, also when its addresses are IPv4's; such are refused.
    find(&fs::read_to_string("/proc/self/net/tcp").ok()?, peer, local)
}

fn find(table: &str, peer: SocketAddrV4, local: SocketAddrV4) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let same = address(fields.next()?) == Some(peer) && address(fields.next()?) == Some(local);
        // State, queues, timer, retransmits, uid, time-out; then the inode, which is 0 when nobody holds the socket.
        same.then(|| fields.nth(6)?.parse().ok().filter(|&inode| inode != 0))?
    })
}

/// `0100007F:1F90`: the four bytes as this machine reads them as a number, and the port.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':').filter(|(address, port)| (address.len(), port.len()) == (8, 4))?;
    let bytes = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    Some(SocketAddrV4::new(Ipv4Addr::from(bytes), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd as _,
    };

    #[test]
    fn a_connections_other_end_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap();
        let [one, other] = [(); 2].map(|()| TcpStream::connect(local).unwrap());
        for stream in [&one, &other] {
            let inode = inode(stream.local_addr().unwrap(), local).unwrap();
            let link = fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).unwrap();
            assert_eq!(link.to_str().unwrap(), format!("socket:[{inode}]"));
        }
        assert_eq!(inode("127.0.0.1:1".parse().unwrap(), local), None);
    }

    #[test]
    fn rubbish_is_no_address() {
        for text in ["", ":", "0100007F", "0100007F:", "X:1", "0100007F:10000", "000000000000000000000000:1F90"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
