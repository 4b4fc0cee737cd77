//! Whatever a call does, the next one finds what the first one found.

use super::engine::{self, LIMITS};
use crate::on_guest;
use edgehook_isolate::{Budget, Verdict};
use std::time::{Duration, Instant};

const AMPLE: Budget = Budget { cpu: Duration::from_secs(10), memory: 32 << 20 };

const COUNTER: &str = "
    let count = 0; const seen = new Map(); globalThis.total = 0;
    function handler(event) {
        count += 1; total += 1; seen.set(event.request.uri, count);
        Array.prototype.last = function () { return this[this.length - 1]; };
        const uri = event.request.uri;
        return [count, total, seen.size, uri.endsWith('/') ? uri + 'index.html' : uri].join(' ');
    }";

pub(crate) fn ten_thousand_calls() {
    on_guest(|thread, out| {
        let mut isolate = engine::load(thread, LIMITS, out, COUNTER).unwrap();
        let pristine = isolate.digest();
        for call in 0..10_000 {
            let uri = format!("/{call}/");
            let report = isolate.run(AMPLE, out, |js, turn| engine::step(js, turn, &uri));
            assert_eq!(report.verdict, Verdict::Finished, "{report:?}");
            assert_eq!(String::from_utf8_lossy(out.bytes()), format!("1 1 1 /{call}/index.html"));
        }
        assert_eq!(isolate.digest(), pristine);
        println!("  {:?}", isolate.stats());
    });
}

/// Statements that leave something behind in a shared context.
const POLLUTERS: &[&str] = &[
    "globalThis.leak = 1; undeclared = 2; var own = 3;",
    "Array.prototype.map = () => 'patched'; Array.prototype[3] = 'hole';",
    "Object.prototype.polluted = true; Object.prototype.toString = () => 'mine';",
    "JSON.parse = JSON.stringify = () => ({}); Math.max = Math.random = () => 4;",
    "Date = class { getTime() { return 1; } }; Date.now = () => 5;",
    "/(a)(b)/.exec('ab'); RegExp.prototype.exec = () => null;",
    "state.list.push('x'); state.nested.deep.value = 'changed'; counter += 10;",
    "cache.set('key', 'value'); weak.set(state, 'other');",
    "Promise.prototype.then = function () { return 'hijacked'; };",
    "Promise.resolve().then(() => { state.late = true; });",
    "Symbol.for('registered').description; Object.defineProperty(globalThis, Symbol.for('registered'), { value: 1 });",
    "Object.freeze(state); Object.setPrototypeOf(state.nested, Array.prototype);",
    "handler = () => 'replaced'; probe = () => 'replaced';",
    "String.prototype.split = Function.prototype.call = null;",
    "generator.next(); generator.next(); Object.keys(globalThis).forEach(name => { try { delete globalThis[name]; } catch {} });",
    "Error.prototype.name = 'Mine'; Error.stackTraceLimit = 0; throw new Error('thrown');",
    "const big = []; for (let i = 0; i < 5000; i++) big.push({ i, text: 'x'.repeat(i % 50) }); state.big = big;",
    "Object.defineProperty(Object.prototype, 'uri', { get() { return 'trapped'; }, set() {} });",
    "while (true) state.list.push({});",
    "(function deeper() { state.depth = (state.depth || 0) + 1; deeper(); })();",
];

const VICTIM: &str = "
    const state = { list: [1, 2], nested: { deep: { value: 'original' } } };
    const cache = new Map([['a', 1]]), weak = new WeakMap([[state, 'first']]);
    let counter = 0;
    const generator = (function* () { yield 1; yield 2; yield 3; })();
    function probe() {
        const own = o => Object.getOwnPropertyNames(o).length + Object.getOwnPropertySymbols(o).length;
        return [
            own(globalThis), own(Object.prototype), own(Array.prototype), own(Math), own(Error), own(Promise.prototype),
            typeof leak, typeof undeclared, typeof own2, [1, 2].map(x => x + 1), {}.polluted, String({}),
            JSON.stringify(JSON.parse('[1,{\"a\":2}]')), Math.max(1, 2), Date.now(), new Date(5).getTime(),
            /(x)(y)/.exec('-xy-'), JSON.stringify(state), state.late, counter, cache.size, cache.get('key'),
            weak.get(state), Object.isFrozen(state), Object.getPrototypeOf(state.nested) === Object.prototype,
            Symbol.for('registered') in globalThis, 'a,b'.split(','), generator.next().value, new Error('e').toString(),
            typeof Promise.resolve(1).then(() => 1), Object.keys(globalThis).join(), [,,,,][3], typeof RegExp.$1, RegExp.$1,
        ].map(String).join('|');
    }
    function handler(event) {
        const uri = event.request.uri;
        if (uri === 'probe') return probe();
        POLLUTE
        return 'polluted';
    }";

pub(crate) fn polluters_and_victims() {
    on_guest(|thread, out| {
        let cases: String =
            POLLUTERS.iter().enumerate().map(|(case, text)| format!("if (uri === '{case}') {{ {text} }}\n")).collect();
        let source = VICTIM.replace("POLLUTE", &cases);
        let mut isolates: Vec<_> = (0..3).map(|_| engine::load(thread, LIMITS, out, &source).unwrap()).collect();
        let expected = engine::load(thread, LIMITS, out, &source).map(|mut fresh| {
            fresh.run(AMPLE, out, |js, turn| engine::step(js, turn, "probe"));
            out.bytes().to_vec()
        });
        let expected = expected.unwrap();
        let text = String::from_utf8_lossy(&expected).into_owned();
        assert!(text.contains("|2,3|") && text.contains("original"), "{text}");
        let mut random = 4_u64;
        for pair in 0..10_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (case, at) = ((random >> 33) as usize % POLLUTERS.len(), (random >> 50) as usize % isolates.len());
            let uri = case.to_string();
            let budget = Budget { cpu: Duration::from_millis(2), ..AMPLE };
            let report = isolates[at].run(budget, out, |js, turn| engine::step(js, turn, &uri));
            assert_ne!(report.verdict, Verdict::Fault);
            // The same function, or another one on this host.
            let victim = if pair % 3 == 0 { (at + 1) % 3 } else { at };
            let report = isolates[victim].run(AMPLE, out, |js, turn| engine::step(js, turn, "probe"));
            assert_eq!(report.verdict, Verdict::Finished);
            assert_eq!(out.bytes(), expected, "after {}", POLLUTERS[case]);
        }
    });
}

/// Prints what a whole call costs.
pub(crate) fn figures() {
    on_guest(|thread, out| {
        let start = Instant::now();
        let mut isolate = engine::load(thread, LIMITS, out, COUNTER).unwrap();
        println!("  load: {:?}", start.elapsed());
        let mut measure = |name: &str, uri: &'static str| {
            (0..2000).for_each(|_| drop(isolate.run(AMPLE, out, move |js, turn| engine::step(js, turn, uri))));
            let runs = 20_000;
            let (start, mut inside, mut memory) = (Instant::now(), Duration::ZERO, 0);
            for _ in 0..runs {
                let report = isolate.run(AMPLE, out, move |js, turn| engine::step(js, turn, uri));
                inside += report.cpu;
                memory = report.memory;
            }
            let (whole, inside) = (start.elapsed() / runs, inside / runs);
            println!(
                "  {name}: {whole:?} per call, {inside:?} in the guest, {:?} entering, leaving, rewinding",
                whole - inside
            );
            println!("    {memory} bytes allocated per call, {:?}", isolate.stats());
        };
        measure("event of 8 headers, index rewrite, text result", "/docs/");
    });
}

/// Prints what a hundred functions of some 10 KB cost.
pub(crate) fn many_functions() {
    on_guest(|thread, out| {
        let helpers: String =
            (0..100).map(|at| format!("function helper{at}(value, other) {{ if (value > {at}) return other.map(x => x + value); return [value, {at}]; }}\n")).collect();
        let source = format!("{helpers}{COUNTER}");
        let (start, before) = (Instant::now(), resident());
        let mut isolates: Vec<_> = (0..100).map(|_| engine::load(thread, LIMITS, out, &source).unwrap()).collect();
        println!("  {} bytes of source: load {:?}, {:?}", source.len(), start.elapsed() / 100, isolates[0].stats());
        let loaded = resident();
        for at in 0..1000 {
            isolates[at % 100].run(AMPLE, out, |js, turn| engine::step(js, turn, "/"));
        }
        println!(
            "    resident per isolate: {} KiB, after ten runs each {} KiB",
            (loaded - before) / 100,
            (resident() - before) / 100
        );
        println!("    mappings: {}", std::fs::read_to_string("/proc/self/maps").unwrap().lines().count());
        let runs = 20_000;
        let start = Instant::now();
        for at in 0..runs {
            isolates[at % 100].run(AMPLE, out, |js, turn| engine::step(js, turn, "/"));
        }
        println!("    one after the other: {:?} per call", start.elapsed() / u32::try_from(runs).unwrap());
    });
}

/// Resident memory in KiB.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}
