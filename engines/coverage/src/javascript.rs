//! JavaScript: a call before every statement, on the statement's own line.
//!
//! Statements in a list get the call in front. A statement that stands alone where a list could (`if (x) y();`) gets braces, an
//! arrow function's expression parentheses. Nothing is counted for what does nothing when it is reached: declarations of
//! functions, imports, empty statements, `var x;`.

use crate::MARK;
use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionExpression, Declaration, DoWhileStatement, ExportDefaultDeclarationKind, ForInStatement,
    ForOfStatement, ForStatement, IfStatement, Program, Statement, WhileStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{GetSpan as _, SourceType, Span};
use std::fmt;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
}

/// A source with calls.
#[derive(Clone, Debug)]
pub struct Instrumented {
    /// The text to run in place of the source.
    pub text: String,
    /// What the calls stand for, the first of which has the number that was given.
    pub places: Vec<Place>,
}

/// The source is no JavaScript that could be rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotParsed(String);

impl fmt::Display for NotParsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotParsed {}

/// Rewrites `source` so that it reports its places by numbers from `first`.
///
/// `per_run`: every run begins from the state that the top level left, as in isolates, where only runs can report. What the top
/// level reached is then reported by the first place that a run reaches, and the function's own console is kept quiet, because
/// what a run may print is limited.
///
/// # Errors
/// It does not parse.
pub fn javascript(source: &str, first: usize, per_run: bool) -> Result<Instrumented, NotParsed> {
    let mut failure = NotParsed("no JavaScript".to_owned());
    // A handler may await or return where only one of the forms lets it; CommonJS has both.
    for kind in [SourceType::cjs(), SourceType::mjs()] {
        let allocator = Allocator::default();
        let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
        let parsed = Parser::new(&allocator, source, kind).with_options(options).parse();
        match parsed.diagnostics.first() {
            Some(problem) => failure = NotParsed(problem.to_string()),
            None => return Ok(rewritten(source, first, per_run, &parsed.program)),
        }
    }
    Err(failure)
}

fn rewritten(source: &str, first: usize, per_run: bool, program: &Program<'_>) -> Instrumented {
    let mut calls = Calls { source, first, places: Vec::new(), pieces: Vec::new() };
    calls.visit_program(program);
    let hashbang = program.hashbang.as_ref().map(|hashbang| hashbang.span.end);
    let directive = program.directives.last().map(|directive| directive.span.end);
    let before = if directive.is_some() {
        ";"
    } else if hashbang.is_some() {
        "\n"
    } else {
        ""
    };
    let text = format!("{before}{}", if per_run { of_isolates() } else { of_environments() });
    let start = directive.or(hashbang).unwrap_or(0);
    // Before every call: the sort below keeps the order of what is alike.
    calls.pieces.insert(0, Piece { at: start, closes: false, other: u32::MAX, text });
    // Where pieces meet, what ends goes before what begins; inner ends before outer ones, outer beginnings before inner ones.
    calls.pieces.sort_by_key(|piece| (piece.at, !piece.closes, std::cmp::Reverse(piece.other)));
    let mut text = String::with_capacity(source.len() * 2);
    let mut done = 0;
    for piece in &calls.pieces {
        let at = piece.at as usize;
        text.push_str(source.get(done..at).unwrap_or_default());
        text.push_str(&piece.text);
        done = at;
    }
    text.push_str(source.get(done..).unwrap_or_default());
    if per_run {
        // On a line of its own, behind whatever comment ends the source.
        text.push_str("\n;__edgehook_reached.begin();");
    }
    Instrumented { text, places: calls.places }
}

/// For isolates: what is reached before the first run is told with the first place that a run reaches.
fn of_isolates() -> String {
    format!(
        "var __edgehook_reached=(function(){{var say=console.log,seen=new Set(),running=false;\
         var reached=function(place){{if(seen.has(place))return;\
         if(running){{say('{MARK} reached '+(running===true?'':running+' ')+place);running=true}}seen.add(place)}};\
         reached.begin=function(){{running=Array.from(seen).join(' ')||true}};\
         var quiet=function(){{}};\
         for(var name of['log','info','warn','error','debug'])console[name]=quiet;return reached}})();"
    )
}

/// For environments, which live on: each place is told once, at once. All files of a function share what is known.
fn of_environments() -> String {
    format!(
        "var __edgehook_reached=globalThis.__edgehook_reached||=(function(){{var to=console,seen=new Set();\
         return function(place){{if(!seen.has(place)){{seen.add(place);to.log('{MARK} reached '+place)}}}}}})();"
    )
}

/// Text that is put into the source.
struct Piece {
    at: u32,
    closes: bool,
    /// Where the other end of it is.
    other: u32,
    text: String,
}

struct Calls<'s> {
    source: &'s str,
    first: usize,
    places: Vec<Place>,
    pieces: Vec<Piece>,
}

impl Calls<'_> {
    /// The call for a place.
    fn call(&mut self, at: u32) -> String {
        let before = self.source.get(..at as usize).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        self.places.push(Place { line: u32::try_from(line).unwrap_or(u32::MAX) });
        format!("__edgehook_reached({})", self.first + self.places.len() - 1)
    }

    /// A call around something that stands where a list cannot.
    fn around(&mut self, span: Span, [open, between, close]: [&str; 3]) {
        let call = self.call(span.start);
        let text = format!("{open}{call}{between}");
        self.pieces.push(Piece { at: span.start, closes: false, other: span.end, text });
        self.pieces.push(Piece { at: span.end, closes: true, other: span.start, text: close.to_owned() });
    }

    /// Braces around a statement that has none.
    fn alone(&mut self, statement: &Statement<'_>) {
        if is_code(statement) {
            self.around(statement.span(), ["{", ";", "}"]);
        }
    }
}

/// Whether something happens when it is reached.
fn is_code(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::BlockStatement(_)
        | Statement::EmptyStatement(_)
        | Statement::FunctionDeclaration(_)
        | Statement::ImportDeclaration(_)
        | Statement::ExportAllDeclaration(_)
        | Statement::ExportNamedDeclaration(_)
        | Statement::ExportFromDeclaration(_) => false,
        Statement::ExportDeclaration(export) => !matches!(export.declaration, Declaration::FunctionDeclaration(_)),
        Statement::ExportDefaultDeclaration(export) => {
            !matches!(export.declaration, ExportDefaultDeclarationKind::FunctionDeclaration(_))
        }
        Statement::VariableDeclaration(variables) => variables.declarations.iter().any(|one| one.init.is_some()),
        _ => true,
    }
}

impl<'a> Visit<'a> for Calls<'_> {
    fn visit_statements(&mut self, statements: &oxc_allocator::Vec<'a, Statement<'a>>) {
        for statement in statements.iter().filter(|statement| is_code(statement)) {
            let at = statement.span().start;
            let text = format!("{};", self.call(at));
            self.pieces.push(Piece { at, closes: false, other: u32::MAX, text });
        }
        walk::walk_statements(self, statements);
    }

    fn visit_if_statement(&mut self, statement: &IfStatement<'a>) {
        self.alone(&statement.consequent);
        if let Some(alternate) = &statement.alternate {
            self.alone(alternate);
        }
        walk::walk_if_statement(self, statement);
    }

    fn visit_for_statement(&mut self, statement: &ForStatement<'a>) {
        self.alone(&statement.body);
        walk::walk_for_statement(self, statement);
    }

    fn visit_for_in_statement(&mut self, statement: &ForInStatement<'a>) {
        self.alone(&statement.body);
        walk::walk_for_in_statement(self, statement);
    }

    fn visit_for_of_statement(&mut self, statement: &ForOfStatement<'a>) {
        self.alone(&statement.body);
        walk::walk_for_of_statement(self, statement);
    }

    fn visit_while_statement(&mut self, statement: &WhileStatement<'a>) {
        self.alone(&statement.body);
        walk::walk_while_statement(self, statement);
    }

    fn visit_do_while_statement(&mut self, statement: &DoWhileStatement<'a>) {
        self.alone(&statement.body);
        walk::walk_do_while_statement(self, statement);
    }

    fn visit_arrow_function_expression(&mut self, arrow: &ArrowFunctionExpression<'a>) {
        if let Some(expression) = arrow.body.as_expression() {
            self.around(expression.span(), ["(", ",(", "))"]);
        }
        walk::walk_arrow_function_expression(self, arrow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text without what goes before the source, with short calls.
    fn rewritten(source: &str) -> String {
        let text = javascript(source, 0, false).unwrap().text;
        let first_call = text.find("__edgehook_reached(0)").unwrap_or(text.len());
        assert!(text.find(&of_environments()).unwrap() < first_call, "{text}");
        assert!(javascript(&text, 0, false).is_ok(), "{text}");
        assert!(javascript(&javascript(source, 0, true).unwrap().text, 0, true).is_ok(), "{source}");
        text.replace(&of_environments(), "").replace("__edgehook_reached", "R")
    }

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(rewritten(source), expected);
    }

    #[test]
    fn statements_get_a_call_in_front() {
        check("a();\nb()\nc()", "R(0);a();\nR(1);b()\nR(2);c()");
        check("function f() { return 1; }", "function f() { R(0);return 1; }");
        check(
            "switch (a) { case 1: b(); break; default: }",
            "R(0);switch (a) { case 1: R(1);b(); R(2);break; default: }",
        );
        check(
            "try { a(); } catch { b(); } finally { c(); }",
            "R(0);try { R(1);a(); } catch { R(2);b(); } finally { R(3);c(); }",
        );
        check("class A { static { a(); } m() { b(); } }", "R(0);class A { static { R(1);a(); } m() { R(2);b(); } }");
    }

    #[test]
    fn what_stands_alone_gets_a_list() {
        check("if (a) b(); else c();", "R(0);if (a) {R(1);b();} else {R(2);c();}");
        check("if (a) b()\nelse if (c) d()", "R(0);if (a) {R(1);b()}\nelse {R(2);if (c) {R(3);d()}}");
        check("for (;;) if (a) break", "R(0);for (;;) {R(1);if (a) {R(2);break}}");
        check("do a(); while (b)", "R(0);do {R(1);a();} while (b)");
        check("x: for (const a of b) continue x;", "R(0);x: for (const a of b) {R(1);continue x;}");
    }

    #[test]
    fn expressions_of_arrows_get_parentheses() {
        check("f(x => y)", "R(0);f(x => (R(1),(y)))");
        check("f(x => ({ y }))", "R(0);f(x => (R(1),(({ y }))))");
        check("if (a) f = x => y => z", "R(0);if (a) {R(1);f = x => (R(2),(y => (R(3),(z))))}");
    }

    #[test]
    fn what_does_nothing_is_not_counted() {
        check("var a;\n;{}\nfunction f() {}", "var a;\n;{}\nfunction f() {}");
        check(
            "import a from 'a';\nexport function f() {}\nexport const b = 1;",
            "import a from 'a';\nexport function f() {}\nR(0);export const b = 1;",
        );
    }

    #[test]
    fn directives_and_hashbangs_stay_first() {
        check("'use strict'\na()", "'use strict';\nR(0);a()");
        check("#!/usr/bin/env node\na()", "#!/usr/bin/env node\n\nR(0);a()");
        check("function f() { 'use strict'; a() }", "function f() { 'use strict'; R(0);a() }");
    }

    #[test]
    fn places_are_lines_of_the_source_and_numbers_go_on() {
        let done = javascript("// é\na(); b();\n\nc()", 7, false).unwrap();
        assert_eq!(done.places, [2, 2, 4].map(|line| Place { line }));
        assert!(
            done.text.ends_with("__edgehook_reached(7);a(); __edgehook_reached(8);b();\n\n__edgehook_reached(9);c()")
        );
        assert!(javascript("function (", 0, false).is_err());
        assert!(javascript("return 1", 0, false).is_ok() && javascript("await 1; import 'a'", 0, false).is_ok());
    }
}
