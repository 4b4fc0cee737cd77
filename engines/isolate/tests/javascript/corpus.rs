//! The hostile scripts: each is contained, and the next call is correct.

use super::engine::{self, LIMITS};
use crate::on_guest;
use edgehook_isolate::{Budget, GuestThread, Limits, LoadError, OutBuffer, Verdict};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// Name and source of each script.
fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let mut scripts: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 50);
    scripts
}

/// The script as a function that attacks unless it is asked for its reference answer.
fn as_handler(script: &str) -> String {
    if script.contains("function handler") {
        let renamed = script.replace("function handler", "function attack");
        return format!(
            "{renamed}\nfunction handler(event) {{ return event.request.uri === '/reference' ? 'fine' : attack(); }}"
        );
    }
    format!("function handler(event) {{ if (event.request.uri === '/reference') return 'fine';\n{script}\n}}")
}

fn attack(thread: &GuestThread, out: &mut OutBuffer, budget: Budget, rounds: u32) -> BTreeMap<&'static str, u32> {
    let mut verdicts = BTreeMap::new();
    for (name, script) in scripts() {
        let mut isolate = match engine::load(thread, LIMITS, out, &as_handler(&script)) {
            Ok(isolate) => isolate,
            // Sources that the parser itself gives up on: that is contained as well.
            Err(error) => {
                println!("    {name}: at loading: {error}");
                *verdicts.entry("not loaded").or_default() += 1;
                continue;
            }
        };
        let pristine = isolate.digest();
        for _ in 0..rounds {
            let report = isolate.run(budget, out, |js, turn| engine::step(js, turn, "/"));
            *verdicts.entry(report.verdict.as_str()).or_default() += 1;
            assert_ne!(report.verdict, Verdict::Fault, "{name}");
            if report.verdict == Verdict::Time {
                assert!(report.cpu >= budget.cpu);
                let over = report.cpu - budget.cpu;
                if over > Duration::from_micros(200) {
                    println!("    {name}: stopped {over:?} after its budget");
                }
            }
            assert_eq!(isolate.digest(), pristine, "after {name}");
            let ample = Budget { cpu: Duration::from_secs(10), memory: 8 << 20 };
            let report = isolate.run(ample, out, |js, turn| engine::step(js, turn, "/reference"));
            assert_eq!((report.verdict, out.bytes()), (Verdict::Finished, &b"fine"[..]), "after {name}");
        }
    }
    verdicts
}

pub(crate) fn as_handlers() {
    on_guest(|thread, out| {
        let verdicts = attack(thread, out, Budget { cpu: Duration::from_millis(1), memory: 8 << 20 }, 5);
        println!("  {verdicts:?}");
    });
}

/// Time enough for the stack or the memory to give way first.
pub(crate) fn as_handlers_with_time_to_spare() {
    on_guest(|thread, out| {
        let verdicts = attack(thread, out, Budget { cpu: Duration::from_millis(500), memory: 48 << 20 }, 1);
        println!("  {verdicts:?}");
        for expected in ["time", "memory", "stack"] {
            assert!(verdicts.contains_key(expected), "{verdicts:?}");
        }
    });
}

/// As what a deployment runs.
pub(crate) fn as_top_level() {
    on_guest(|thread, out| {
        let limits = Limits { cpu: Duration::from_millis(200), memory: 32 << 20, ..LIMITS };
        let reference = "function handler() { return 'fine'; }";
        let mut other = engine::load(thread, LIMITS, out, reference).unwrap();
        let pristine = other.digest();
        let mut ends = BTreeMap::<_, u32>::new();
        for (name, script) in scripts() {
            let source = format!("{script}\n;function handler() {{ return 'loaded'; }}");
            let end = match engine::load(thread, limits, out, &source) {
                Ok(_) => "loaded",
                Err(error) => {
                    assert!(!matches!(&error, LoadError::Stopped(report) if report.verdict.taints_host()), "{name}");
                    error.as_str()
                }
            };
            *ends.entry(end.to_owned()).or_default() += 1;
            assert_eq!(other.digest(), pristine, "after {name}");
            let ample = Budget { cpu: Duration::from_secs(10), memory: 8 << 20 };
            other.run(ample, out, |js, turn| engine::step(js, turn, "/"));
            assert_eq!(out.bytes(), b"fine", "after {name}");
        }
        println!("  {ends:?}");
    });
}

/// All scripts on one host in many random orders, an honest call between any two.
pub(crate) fn shuffled() {
    on_guest(|thread, out| {
        let mut isolates: Vec<_> = scripts()
            .into_iter()
            .filter_map(|(name, script)| Some((name, engine::load(thread, LIMITS, out, &as_handler(&script)).ok()?)))
            .collect();
        let mut random = 8_u64;
        let mut over = Vec::new();
        for _ in 0..50_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (attacker, honest) =
                ((random >> 33) as usize % isolates.len(), (random >> 20) as usize % isolates.len());
            let budget = Budget { cpu: Duration::from_millis(1), memory: 8 << 20 };
            let (name, isolate) = &mut isolates[attacker];
            let report = isolate.run(budget, out, |js, turn| engine::step(js, turn, "/"));
            assert_ne!(report.verdict, Verdict::Fault, "{name}");
            if report.verdict == Verdict::Time {
                over.push(report.cpu - budget.cpu);
            }
            let ample = Budget { cpu: Duration::from_secs(10), ..budget };
            isolates[honest].1.run(ample, out, |js, turn| engine::step(js, turn, "/reference"));
            assert_eq!(out.bytes(), b"fine", "{} after {}", isolates[honest].0, isolates[attacker].0);
        }
        over.sort_unstable();
        let at = |part: usize| over[over.len() * part / 1000 - 1];
        println!("  stopped after the budget: median {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
    });
}
