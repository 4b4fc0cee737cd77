//! Names that the runtimes have and lack (cloudfront-functions.md 7.1).
//!
//! The lists of what is lacking hold names that people use by habit; the lists of what exists are complete, so a static
//! member that is not on them is a finding.

use crate::Runtime;

/// Globals that neither runtime has.
const ABSENT: &[&str] = &[
    "AbortController",
    "AggregateError",
    "Atomics",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Blob",
    "DOMException",
    "Event",
    "EventTarget",
    "FinalizationRegistry",
    "FormData",
    "Headers",
    "Intl",
    "Iterator",
    "Map",
    "Proxy",
    "Reflect",
    "Request",
    "Response",
    "Set",
    "SharedArrayBuffer",
    "URL",
    "URLSearchParams",
    "WeakMap",
    "WeakRef",
    "WeakSet",
    "WebAssembly",
    "WebSocket",
    "XMLHttpRequest",
    "__dirname",
    "__filename",
    "clearImmediate",
    "clearInterval",
    "clearTimeout",
    "crypto",
    "document",
    "escape",
    "exports",
    "fetch",
    "global",
    "module",
    "navigator",
    "performance",
    "process",
    "queueMicrotask",
    "self",
    "setImmediate",
    "setInterval",
    "setTimeout",
    "structuredClone",
    "unescape",
    "window",
];

/// Globals that came with 2.0.
const ABSENT_IN_1: &[&str] = &["Buffer", "DataView", "TextDecoder", "TextEncoder", "atob", "btoa"];

/// Whether a global is known to be missing.
pub(crate) fn lacks_global(runtime: Runtime, name: &str) -> bool {
    ABSENT.binary_search(&name).is_ok() || (runtime == Runtime::Js1 && ABSENT_IN_1.contains(&name))
}

/// Static members of an object: those of both runtimes, and those that came with 2.0.
const STATICS: &[(&str, &[&str], &[&str])] = &[
    (
        "Object",
        &[
            "assign",
            "create",
            "defineProperties",
            "defineProperty",
            "entries",
            "freeze",
            "getOwnPropertyDescriptor",
            "getOwnPropertyNames",
            "getPrototypeOf",
            "is",
            "isExtensible",
            "isFrozen",
            "isSealed",
            "keys",
            "preventExtensions",
            "seal",
            "setPrototypeOf",
            "values",
        ],
        &["getOwnPropertyDescriptors"],
    ),
    ("Array", &["isArray", "of"], &[]),
    (
        "Number",
        &[
            "EPSILON",
            "MAX_SAFE_INTEGER",
            "MAX_VALUE",
            "MIN_SAFE_INTEGER",
            "MIN_VALUE",
            "NEGATIVE_INFINITY",
            "NaN",
            "POSITIVE_INFINITY",
            "isFinite",
            "isInteger",
            "isNaN",
            "isSafeInteger",
            "parseFloat",
            "parseInt",
        ],
        &[],
    ),
    ("Date", &["UTC", "now", "parse"], &[]),
    ("JSON", &["parse", "stringify"], &[]),
    ("Promise", &["reject", "resolve"], &["all", "allSettled", "any", "race"]),
    ("ArrayBuffer", &["isView"], &[]),
];

/// Whether `object.member` is known to be missing.
pub(crate) fn lacks_static(runtime: Runtime, object: &str, member: &str) -> bool {
    if ["prototype", "length", "name", "call", "apply", "bind", "toString"].contains(&member) {
        return false;
    }
    if object == "String" {
        let known = ["fromCharCode", "fromCodePoint"].contains(&member);
        return !known && (member != "bytesFrom" || runtime == Runtime::Js2);
    }
    if object == "Symbol" {
        return runtime == Runtime::Js1 && ["for", "keyFor"].contains(&member);
    }
    let known = STATICS.iter().find(|(name, ..)| *name == object);
    known.is_some_and(|(_, both, later)| {
        !both.contains(&member) && (runtime == Runtime::Js1 || !later.contains(&member))
    })
}

/// Methods that values have elsewhere, by names that hardly anything else has.
const METHODS: &[&str] = &[
    "at",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "isWellFormed",
    "localeCompare",
    "matchAll",
    "normalize",
    "toLocaleDateString",
    "toLocaleTimeString",
    "toReversed",
    "toSorted",
    "toSpliced",
    "toWellFormed",
    "trimLeft",
    "trimRight",
];

const METHODS_LACKING_IN_1: &[&str] = &["rawQueryString", "replaceAll"];
const METHODS_LACKING_IN_2: &[&str] = &["fromBytes", "fromUTF8", "toBytes", "toUTF8"];

/// Whether values of no kind have this method.
pub(crate) fn lacks_method(runtime: Runtime, name: &str) -> bool {
    let others = match runtime {
        Runtime::Js1 => METHODS_LACKING_IN_1,
        Runtime::Js2 => METHODS_LACKING_IN_2,
    };
    METHODS.contains(&name) || others.contains(&name)
}

/// Modules that can be required or imported.
pub(crate) fn modules(runtime: Runtime) -> &'static [&'static str] {
    match runtime {
        Runtime::Js1 => &["crypto", "querystring"],
        Runtime::Js2 => &["buffer", "cloudfront", "crypto", "querystring"],
    }
}

/// Flags of regular expressions.
pub(crate) fn has_flag(runtime: Runtime, flag: char) -> bool {
    matches!(flag, 'g' | 'i' | 'm') || (flag == 'y' && runtime == Runtime::Js2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_searched() {
        assert!(ABSENT.is_sorted_by(|a, b| a < b));
    }
}
