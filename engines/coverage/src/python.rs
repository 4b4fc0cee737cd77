//! Python: the source runs under the language's own tracing.

use crate::MARK;

/// What runs in place of `source`, the file `name` in the function's folder, whose `handler` is called. Lines of it and of other
/// files in that folder are reported as they run, and at first which lines hold code.
#[must_use]
pub fn python(source: &str, name: &str, handler: &str) -> String {
    let [source, name, handler, mark] = [source, name, handler, MARK].map(literal);
    format!("{TRACER}\n_edgehook_coverage({source}, {name}, {handler}, {mark}, globals())\n")
}

/// Text as Python writes it.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 16);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            plain if plain == ' ' || plain.is_ascii_graphic() => literal.push(plain),
            other => literal.push_str(&format!("\\U{:08x}", u32::from(other))),
        }
    }
    literal.push('"');
    literal
}

const TRACER: &str = r#"
def _edgehook_coverage(source, name, handler, mark, module):
    import functools, os, sys, threading
    folder = os.path.dirname(os.path.abspath(module["__file__"]))
    own = os.path.join(folder, name)
    told, seen, output = {}, set(), sys.stdout

    def say(text):
        output.write(mark + " " + text + "\n")
        output.flush()

    def known(code):
        file = code.co_filename
        if file not in told:
            path = os.path.abspath(file)
            inside = path == own or (path.startswith(folder + os.sep) and os.path.isfile(path)
                and "site-packages" not in path and not path.endswith(".zip"))
            told[file] = os.path.relpath(path, folder).replace(" ", "%20") if inside else None
            if inside and path != own:
                with open(path, encoding="utf-8") as opened:
                    tell(compile(opened.read(), file, "exec"), told[file])
        return told[file]

    def tell(code, shown):
        lines, codes = set(), [code]
        while codes:
            code = codes.pop()
            lines.update(line for _, _, line in code.co_lines() if line)
            codes.extend(inner for inner in code.co_consts if hasattr(inner, "co_lines"))
        say("code " + shown + "".join(" %d" % line for line in sorted(lines)))

    def trace(frame, event, argument):
        shown = known(frame.f_code)
        if shown is None:
            return None
        line = frame.f_lineno
        if line and (shown, line) not in seen:
            seen.add((shown, line))
            say("ran %s %d" % (shown, line))
        return trace

    compiled = compile(source, own, "exec", dont_inherit=True)
    told[own] = name.replace(" ", "%20")
    tell(compiled, told[own])
    module["__file__"] = own
    threading.settrace(trace)
    sys.settrace(trace)
    exec(compiled, module)
    original = module.get(handler)
    if not callable(original):
        return

    # Between load and call the thread may have been given up, and its tracing with it.
    @functools.wraps(original)
    def traced(*arguments):
        sys.settrace(trace)
        return original(*arguments)

    module[handler] = traced
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_written_as_python_does() {
        assert_eq!(literal("a\"b\\c\né"), "\"a\\\"b\\\\c\\U0000000a\\U000000e9\"");
    }
}
