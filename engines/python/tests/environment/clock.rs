//! The time that functions see in a test.

use crate::harness::{Code, is_without_python};

const NEW_YEAR: u64 = 1_767_225_600_000;

/// What the body of a handler returns, in a module that has imported everything by name before, at that moment.
fn answers_at(moment: u64, body: &str, expected: &str) {
    let source = format!(
        "import time, datetime as module, calendar, copy, email.utils, json, pickle\n\
         from datetime import date, datetime, timedelta, timezone\n\
         from time import time as now, time_ns, gmtime, strftime\n\
         loaded = now()\n\
         class Own(datetime):\n    pass\n\
         def handler(event, context):\n    {body}\n"
    );
    let mut environment = Code::python(&source).at(NEW_YEAR).ready();
    environment.move_to(moment);
    assert_eq!(environment.invoke("{}").unwrap_or_else(|error| panic!("{body}: {error:?}")), expected, "{body}");
}

#[test]
fn every_way_to_ask_for_the_present() {
    if is_without_python() {
        return;
    }
    let later = 1_893_456_000_250; // 2030-01-01T00:00:00.250Z
    answers_at(
        later,
        "return [loaded, now(), time.time_ns(), time_ns()]",
        "[1767225600.0, 1893456000.25, 1893456000250000000, 1893456000250000000]",
    );
    answers_at(
        later,
        "return [gmtime()[0], time.localtime()[0], gmtime(0)[0], strftime('%Y'), time.strftime('%Y', gmtime(0))]",
        "[2030, 2030, 1970, \"2030\", \"1970\"]",
    );
    answers_at(
        later,
        "return [time.ctime(), time.asctime(), time.ctime(0)]",
        "[\"Tue Jan  1 00:00:00 2030\", \"Tue Jan  1 00:00:00 2030\", \"Thu Jan  1 00:00:00 1970\"]",
    );
    answers_at(
        later,
        "return [time.clock_gettime(time.CLOCK_REALTIME), time.clock_gettime_ns(time.CLOCK_REALTIME) % 10**9]",
        "[1893456000.25, 250000000]",
    );
    answers_at(
        later,
        "return [str(datetime.now()), str(datetime.utcnow()), str(datetime.today())]",
        &format!("[{}]", ["\"2030-01-01 00:00:00.250000\""; 3].join(", ")),
    );
    answers_at(
        later,
        "return [str(datetime.now(timezone.utc)), str(module.datetime.now(tz=timezone(timedelta(hours=1))))]",
        "[\"2030-01-01 00:00:00.250000+00:00\", \"2030-01-01 01:00:00.250000+01:00\"]",
    );
    answers_at(
        later,
        "return [str(date.today()), str(module.date.today()), email.utils.formatdate(usegmt=True)]",
        "[\"2030-01-01\", \"2030-01-01\", \"Tue, 01 Jan 2030 00:00:00 GMT\"]",
    );
    // It stands still, and what measures goes on.
    let body = "begun, first = time.monotonic(), now(); time.sleep(0.005); return [now() - first, time.monotonic() > begun, context.get_remaining_time_in_millis() > 1000]";
    answers_at(later, body, "[0.0, true, true]");
}

#[test]
fn classes_of_datetime_are_as_ever() {
    if is_without_python() {
        return;
    }
    let all = |expression: &str| {
        let body = format!("return [index for index, holds in enumerate(({expression})) if not holds]");
        answers_at(NEW_YEAR, &body, "[]");
    };
    all(
        "isinstance(datetime.now(), datetime), isinstance(datetime.now(), date), not isinstance(date.today(), datetime)",
    );
    all("issubclass(datetime, date), issubclass(Own, datetime), issubclass(Own, date), not issubclass(date, datetime)");
    // What C code makes is of the real classes.
    all("isinstance(datetime.now().date(), date), datetime.now().date() == date.today(), isinstance(date.min, date)");
    all("type(Own.now()) is Own, isinstance(Own.now(), Own), not isinstance(datetime.now(), Own)");
    all("type(datetime.now() + timedelta(1)) is datetime, datetime.now() - datetime.now() == timedelta(0)");
    all(
        "datetime.strptime('2026', '%Y') == datetime.now(), datetime.fromisoformat('2026-01-01') == datetime(2026, 1, 1)",
    );
    all(
        "repr(date.today()) == 'datetime.date(2026, 1, 1)', repr(Own(2026, 1, 1)) == 'Own(2026, 1, 1, 0, 0)', datetime.__name__ == 'datetime'",
    );
    let through = "all(through(each) == each and isinstance(through(each), date) for each in (datetime.now(), date.today(), datetime.now().date(), datetime.now(timezone.utc)))";
    for copied in ["lambda each: pickle.loads(pickle.dumps(each))", "copy.copy", "copy.deepcopy"] {
        answers_at(NEW_YEAR, &format!("through = {copied}; return {through}"), "true");
    }
}
