//! `edgehook serve`: reload, drain, admin.

use crate::harness::{Answer, Client, Edge, Origin};
use nix::sys::signal::Signal;
use std::sync::{Mutex, mpsc};

fn config(origin: &Origin, function: &str) -> String {
    format!(
        "[origin.app]\nurl = \"{}\"\n[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"{function}\"\nbudget = \"50ms\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nviewer_request = \"f\"\n",
        origin.url()
    )
}

fn version(version: &str) -> String {
    format!(
        "function handler(event) {{ event.request.headers['x-v'] = {{ value: '{version}' }}; return event.request; }}"
    )
}

const SERVER: &str = "listen = [\"http://127.0.0.1:0\"]";

#[test]
fn hang_up_reloads_and_a_broken_configuration_changes_nothing() {
    let origin = Origin::start(|seen| Answer::ok(seen.header("x-v").unwrap_or("none")));
    let (one, two) = (version("1"), version("2"));
    let files = [("one.js", one.as_str()), ("two.js", two.as_str()), ("bad.js", "function handler(event) {")];
    let edge = Edge::start(&config(&origin, "one.js"), &files);
    assert_eq!(edge.get("/").text(), "1");
    edge.save_config(SERVER, &config(&origin, "two.js"));
    edge.signal(Signal::SIGHUP);
    edge.says("config applied: #2");
    assert_eq!(edge.get("/").text(), "2");
    edge.save_config(SERVER, &config(&origin, "bad.js"));
    edge.signal(Signal::SIGHUP);
    edge.says("config not applied; still serving #2");
    assert_eq!(edge.get("/").text(), "2");
    edge.save_config(SERVER, "[origin.app]\nurl = 7\n");
    edge.signal(Signal::SIGHUP);
    edge.says("edge.toml:8:7");
    assert_eq!(edge.get("/").text(), "2");
}

#[test]
fn reloads_under_load_fail_no_request() {
    let origin = Origin::start(|seen| Answer::ok(seen.header("x-v").unwrap_or("none")));
    let (one, two) = (version("1"), version("2"));
    let edge = Edge::start(&config(&origin, "one.js"), &[("one.js", &one), ("two.js", &two)]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut client, mut count) = (edge.client(), 0);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let reply = client.request("GET", "/", &[], b"");
                assert!(reply.status == 200 && ["1", "2"].contains(&reply.text().as_str()), "{reply:?}");
                count += 1;
            }
            count
        });
        for number in 2..8 {
            edge.save_config(SERVER, &config(&origin, if number % 2 == 0 { "two.js" } else { "one.js" }));
            edge.signal(Signal::SIGHUP);
            edge.says(&format!("config applied: #{number}"));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(load.join().unwrap() > 0);
    });
}

#[test]
fn terminate_finishes_what_is_under_way() {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let origin = Origin::start(move |_| Answer::ok("finished").after(gate.lock().unwrap().take().unwrap()));
    let good = version("1");
    let mut edge = Edge::start(&config(&origin, "f.js"), &[("f.js", &good)]);
    let mut client = edge.client();
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    crate::harness::eventually("the origin is asked", || (origin.count() == 1).then_some(()));
    edge.signal(Signal::SIGTERM);
    edge.says("draining");
    drop(open);
    assert_eq!(client.reply(false).text(), "finished");
    assert_eq!(edge.end(), Some(0));
}

#[test]
fn the_admin_api_tells_the_state_and_is_not_public() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let config = format!("[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url());
    let edge = Edge::start(&config, &[]);
    edge.get("/a");
    edge.get("/a");
    edge.get_with("/a", &[("expect", "x")]);
    let output = edge.output();
    let admin = output.lines().find_map(|line| line.trim_start().strip_prefix("admin")).unwrap().trim();
    let address = admin.strip_prefix("http://").unwrap().parse().unwrap();
    let reply = Client::connect(address).request("GET", "/status", &[("host", "localhost:1")], b"");
    let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        (json["schema"].as_u64(), json["config"].as_u64(), json["requests"].as_u64()),
        (Some(1), Some(1), Some(3))
    );
    assert_eq!(
        (&json["outcomes"]["miss"], &json["outcomes"]["hit"], &json["outcomes"]["error"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(json["behaviors"][0]["path"], "*");
    let rebound = Client::connect(address).request("GET", "/status", &[("host", "evil.example")], b"");
    assert_eq!(rebound.status, 421);
    assert_eq!(edge.get("/status").text(), "x", "the public listener knows nothing of it");
}
