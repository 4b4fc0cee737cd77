//! How many connections there may be, in all and per viewer address (security.md D07).
//!
//! [`ConnectionSlots::claim`] hands out a [`Slot`] that gives itself back when dropped. An IPv6 viewer is counted by
//! its /64, because that is what one subscriber owns. Deliberately absent: any waiting; who gets no slot is turned away.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Why a connection got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotRefusal {
    /// `[limits] connections` are open.
    Total,
    /// `[limits] connections_per_address` are open from this address.
    Address,
}

impl SlotRefusal {
    /// The word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "connections",
            Self::Address => "connections-per-address",
        }
    }
}

/// The counters, shared by all listeners that share the limits.
#[derive(Debug)]
pub struct ConnectionSlots {
    total: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection; dropping it gives the right back.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<ConnectionSlots>,
    address: IpAddr,
}

impl ConnectionSlots {
    /// `total` connections in all, `per_address` from one IPv4 address or IPv6 /64.
    #[must_use]
    pub fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { total, per_address, open: Mutex::default() })
    }

    /// Takes a slot for a viewer at `address`.
    ///
    /// # Errors
    /// Which of the two limits is reached.
    pub fn claim(self: &Arc<Self>, address: IpAddr) -> Result<Slot, SlotRefusal> {
        let address = counted_as(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.count >= self.total {
            return Err(SlotRefusal::Total);
        }
        let of_address = open.by_address.entry(address).or_insert(0);
        if *of_address >= self.per_address {
            if *of_address == 0 {
                open.by_address.remove(&address);
            }
            return Err(SlotRefusal::Address);
        }
        *of_address += 1;
        open.count += 1;
        Ok(Slot { slots: Arc::clone(self), address })
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    fn release(&self, address: IpAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.count -= 1;
        if let Entry::Occupied(mut of_address) = open.by_address.entry(address) {
            *of_address.get_mut() -= 1;
            if *of_address.get() == 0 {
                of_address.remove();
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.release(self.address);
    }
}

/// What an address is counted under: IPv4 itself, IPv6 its /64, IPv4 in IPv6 clothing as IPv4.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_total_is_kept_and_given_back() {
        let slots = ConnectionSlots::new(2, 10);
        let first = slots.claim(ip("192.0.2.1")).unwrap();
        let _second = slots.claim(ip("192.0.2.2")).unwrap();
        assert_eq!(slots.claim(ip("192.0.2.3")).unwrap_err(), SlotRefusal::Total);
        drop(first);
        assert!(slots.claim(ip("192.0.2.3")).is_ok());
    }

    #[test]
    fn one_address_cannot_take_them_all() {
        let slots = ConnectionSlots::new(10, 1);
        let held = slots.claim(ip("192.0.2.1")).unwrap();
        assert_eq!(slots.claim(ip("::ffff:192.0.2.1")).unwrap_err(), SlotRefusal::Address);
        assert!(slots.claim(ip("192.0.2.2")).is_ok());
        drop(held);
        assert!(slots.claim(ip("192.0.2.1")).is_ok());
        assert_eq!(slots.open(), 0);
        assert!(slots.open.lock().unwrap().by_address.is_empty(), "no entry outlives its connections");
    }

    #[test]
    fn ipv6_counts_by_its_64() {
        let slots = ConnectionSlots::new(10, 1);
        let _held = slots.claim(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(slots.claim(ip("2001:db8:0:1:ffff::2")).unwrap_err(), SlotRefusal::Address);
        assert!(slots.claim(ip("2001:db8:0:2::1")).is_ok());
    }
}
