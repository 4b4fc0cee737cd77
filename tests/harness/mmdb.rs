//! A writer of small MaxMind databases (maxmind.github.io/MaxMind-DB), for tests that need one.

use serde_json::Value;
use std::net::IpAddr;

/// What a branch of the search tree leads to.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// The bytes of a database that says `record` of each network, given as address and prefix length.
pub(crate) fn database(kind: &str, networks: &[(&str, u8, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (address, prefix, record) in networks {
        let place = data.len();
        encode(&mut data, record);
        insert(&mut nodes, address.parse().unwrap(), *prefix, place);
    }
    let mut file = Vec::new();
    for branch in nodes.iter().flatten() {
        let value = match branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(node) => *node,
            // Behind the tree stand 16 zero bytes, which count.
            Branch::Data(place) => nodes.len() + 16 + place,
        };
        file.extend_from_slice(&u32::try_from(value).unwrap().to_be_bytes());
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    metadata(&mut file, kind, nodes.len());
    file
}

/// IPv4 addresses stand in the IPv6 tree under `::/96`.
fn insert(nodes: &mut Vec<[Branch; 2]>, address: IpAddr, prefix: u8, place: usize) {
    let (bits, length) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), usize::from(prefix) + 96),
        IpAddr::V6(address) => (u128::from(address), usize::from(prefix)),
    };
    let mut node = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            nodes[node][side] = Branch::Data(place);
        } else if let Branch::Node(next) = nodes[node][side] {
            node = next;
        } else {
            nodes.push([Branch::Nothing; 2]);
            let fresh = nodes.len() - 1;
            nodes[node][side] = Branch::Node(fresh);
            node = fresh;
        }
    }
}

fn metadata(file: &mut Vec<u8>, kind: &str, nodes: usize) {
    file.push(7 << 5 | 9);
    let mut entry = |name: &str, bytes: &[u8]| {
        encode(file, &Value::from(name));
        file.extend_from_slice(bytes);
    };
    let short = |number: u16| [&[5 << 5 | 2][..], &number.to_be_bytes()].concat();
    let text = |text: &str| {
        let mut bytes = Vec::new();
        encode(&mut bytes, &Value::from(text));
        bytes
    };
    entry("binary_format_major_version", &short(2));
    entry("binary_format_minor_version", &short(0));
    entry("build_epoch", &[8, 2, 0, 0, 0, 0, 0x65, 0, 0, 0]);
    entry("database_type", &text(kind));
    entry("description", &[7 << 5]);
    entry("ip_version", &short(6));
    entry("languages", &[0, 4]);
    entry("node_count", &[&[6 << 5 | 4][..], &u32::try_from(nodes).unwrap().to_be_bytes()].concat());
    entry("record_size", &short(32));
}

/// A value in the format's own encoding; whole numbers become 16 or 32 bits wide.
fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => {
            control(out, 2, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Number(number) if number.is_u64() => match u16::try_from(number.as_u64().unwrap()) {
            Ok(number) => {
                control(out, 5, 2);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Err(_) => {
                control(out, 6, 4);
                out.extend_from_slice(&u32::try_from(number.as_u64().unwrap()).unwrap().to_be_bytes());
            }
        },
        Value::Number(number) => {
            control(out, 3, 8);
            out.extend_from_slice(&number.as_f64().unwrap().to_be_bytes());
        }
        Value::Array(items) => {
            control(out, 11, items.len());
            items.iter().for_each(|item| encode(out, item));
        }
        Value::Object(entries) => {
            control(out, 7, entries.len());
            for (name, entry) in entries {
                encode(out, &Value::from(name.as_str()));
                encode(out, entry);
            }
        }
        other => panic!("{other} has no place in a test database"),
    }
}

fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (short, more) = if size < 29 { (size, None) } else { (29, Some(u8::try_from(size - 29).unwrap())) };
    let short = u8::try_from(short).unwrap();
    // Types above 7 stand in a second byte.
    if kind > 7 {
        out.extend_from_slice(&[short, kind - 7]);
    } else {
        out.push(kind << 5 | short);
    }
    out.extend(more);
}
