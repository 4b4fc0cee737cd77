//! The walk over the parsed source: syntax that a runtime lacks, and names that it does not know.

use crate::{
    Runtime, builtins,
    finding::{Code, Finding},
    names::Names,
    text::Text,
};
use boa_ast::{
    Expression, Position, Spanned as _,
    declaration::{Binding, ExportDeclaration, ImportDeclaration, ImportKind, LexicalDeclaration},
    expression::{
        Await, Call, Identifier, ImportCall, ImportMeta, New, NewTarget, OptionalOperation, RegExpLiteral, Spread,
        SuperCall,
        access::{PropertyAccess, PropertyAccessField, SuperPropertyAccess},
        literal::{Literal, LiteralKind, ObjectMethodDefinition, PropertyDefinition},
        operator::{
            Unary,
            assign::{Assign, AssignOp},
            unary::UnaryOp,
        },
    },
    function::{
        AsyncArrowFunction, AsyncFunctionDeclaration, AsyncFunctionExpression, AsyncGeneratorDeclaration,
        AsyncGeneratorExpression, ClassDeclaration, ClassExpression, FormalParameter, GeneratorDeclaration,
        GeneratorExpression,
    },
    pattern::Pattern,
    property::{MethodDefinitionKind, PropertyName},
    statement::{Try, iteration::ForOfLoop},
    visitor::{VisitWith, Visitor},
};
use boa_interner::{Interner, Sym};
use std::{ops::ControlFlow, ops::Range};

/// Everything that `runtime` would reject below `root`.
pub(crate) fn findings(root: &impl VisitWith, source: &str, runtime: Runtime, interner: &Interner) -> Vec<Finding> {
    let names = Names::of(root);
    let text = Text::new(source, &names.regexes);
    let mut lint =
        Lint { runtime, text, names, interner, found: Vec::new(), catches: 0, imports: 0, exports: 0, patterns: 0 };
    let _ = root.visit_with(&mut lint);
    lint.found
}

pub(crate) struct Lint<'s> {
    pub(crate) runtime: Runtime,
    pub(crate) text: Text<'s>,
    pub(crate) names: Names,
    interner: &'s Interner,
    found: Vec<Finding>,
    catches: usize,
    imports: usize,
    exports: usize,
    /// How many patterns surround the present one.
    patterns: usize,
}

type Flow = ControlFlow<()>;

impl Lint<'_> {
    pub(crate) fn resolve(&self, name: Sym) -> String {
        self.interner.resolve_expect(name).to_string()
    }

    /// Whether this is a name of the runtime's, and which.
    pub(crate) fn is_global(&self, name: Identifier, global: &str) -> bool {
        !self.names.variables.contains(&name.sym()) && self.resolve(name.sym()) == global
    }

    pub(crate) fn found(&mut self, code: Code, start: usize, token: &str, message: String, label: String) {
        // Escapes can make a name shorter than what is written, and a keyword within a template is not looked for; then one
        // character is marked.
        let length = if !token.is_empty() && self.text.from(start).starts_with(token) {
            token.len()
        } else {
            self.text.from(start).chars().next().map_or(0, char::len_utf8)
        };
        self.found.push(Finding { code, message, label, start, end: start + length });
    }

    /// Syntax, in the words of Amazon's parser.
    fn token(&mut self, start: usize, token: &str, label: &str) {
        let message = format!("Token \"{token}\" not supported in this version");
        let label = match self.runtime {
            Runtime::Js1 => format!("no {label} in {}", self.runtime.as_str()),
            Runtime::Js2 => format!("no {label} in CloudFront Functions"),
        };
        self.found(Code::Syntax, start, token, message, label);
    }

    fn at(&mut self, position: Position, token: &str, label: &str) {
        self.token(self.text.offset(position), token, label);
    }

    /// A keyword that stands before `position`, which the tree does place.
    fn keyword(&mut self, position: Position, words: &[&str], label: &str) {
        let at = self.text.offset(position);
        let keyword = self.text.before(at, words);
        let token = keyword.clone().and_then(|Range { start, end }| self.text.from(start).get(..end - start));
        let token = token.or(words.first().copied()).unwrap_or_default().to_owned();
        self.token(keyword.map_or(at, |keyword| keyword.start), &token, label);
    }

    /// Syntax that only the older runtime lacks.
    fn only_in_1(&mut self, position: Position, words: &[&str], label: &str) {
        if self.runtime == Runtime::Js1 {
            self.keyword(position, words, label);
        }
    }

    pub(crate) fn flags(&mut self, flags: &str, start: usize, token: &str) {
        let runtime = self.runtime;
        for flag in flags.chars().filter(|flag| !builtins::has_flag(runtime, *flag)) {
            let message = format!("the regular expression flag `{flag}` does not exist in {}", runtime.as_str());
            self.found(Code::Syntax, start, token, message, String::new());
        }
    }

    pub(crate) fn module(&mut self, module: &str, start: usize, token: &str) {
        let known = builtins::modules(self.runtime);
        if !known.contains(&module) {
            let message = format!("there is no module \"{module}\" in {}", self.runtime.as_str());
            self.found(Code::Module, start, token, message, format!("there are {}", known.join(", ")));
        }
    }

    /// Where the `nth` of these words stands that begins a declaration or a handler.
    fn nth(&self, word: &str, nth: usize, follows: impl Fn(u8) -> bool) -> usize {
        let mut places = self.text.words(word).filter(|start| self.text.next(start + word.len()).is_some_and(&follows));
        places.nth(nth).unwrap_or_default()
    }
}

fn name_position(name: &PropertyName) -> Position {
    match name {
        PropertyName::Literal(name) => name.span().start(),
        PropertyName::Computed(expression) => expression.span().start(),
    }
}

fn binding_position(binding: &Binding) -> Position {
    match binding {
        Binding::Identifier(name) => name.span().start(),
        Binding::Pattern(pattern) => pattern.span().start(),
    }
}

impl<'ast> Visitor<'ast> for Lint<'_> {
    type BreakTy = ();

    fn visit_lexical_declaration(&mut self, node: &'ast LexicalDeclaration) -> Flow {
        let position = node.variable_list().as_ref().first().map(|variable| binding_position(variable.binding()));
        match (node, position) {
            (LexicalDeclaration::Const(_) | LexicalDeclaration::Let(_), Some(position)) => {
                self.only_in_1(position, &["const", "let"], "`const` or `let`");
            }
            (LexicalDeclaration::Using(_) | LexicalDeclaration::AwaitUsing(_), Some(position)) => {
                self.keyword(position, &["using"], "`using`");
            }
            (_, None) => {}
        }
        node.visit_with(self)
    }

    fn visit_async_function_declaration(&mut self, node: &'ast AsyncFunctionDeclaration) -> Flow {
        self.only_in_1(node.name().span().start(), &["async"], "async functions");
        node.visit_with(self)
    }

    fn visit_async_function_expression(&mut self, node: &'ast AsyncFunctionExpression) -> Flow {
        if self.runtime == Runtime::Js1 {
            self.at(node.span().start(), "async", "async functions");
        }
        node.visit_with(self)
    }

    fn visit_async_arrow_function(&mut self, node: &'ast AsyncArrowFunction) -> Flow {
        if self.runtime == Runtime::Js1 {
            self.at(node.span().start(), "async", "async functions");
        }
        node.visit_with(self)
    }

    fn visit_object_method_definition(&mut self, node: &'ast ObjectMethodDefinition) -> Flow {
        let position = name_position(node.name());
        match node.kind() {
            MethodDefinitionKind::Async => self.only_in_1(position, &["async"], "async functions"),
            MethodDefinitionKind::Generator | MethodDefinitionKind::AsyncGenerator => {
                self.at(position, "*", "generators");
            }
            MethodDefinitionKind::Get | MethodDefinitionKind::Set | MethodDefinitionKind::Ordinary => {}
        }
        node.visit_with(self)
    }

    fn visit_await(&mut self, node: &'ast Await) -> Flow {
        if self.runtime == Runtime::Js1 {
            self.at(node.span().start(), "await", "`await`");
        }
        node.visit_with(self)
    }

    fn visit_generator_declaration(&mut self, node: &'ast GeneratorDeclaration) -> Flow {
        self.keyword(node.name().span().start(), &["function"], "generators");
        node.visit_with(self)
    }

    fn visit_generator_expression(&mut self, node: &'ast GeneratorExpression) -> Flow {
        self.at(node.span().start(), "function", "generators");
        node.visit_with(self)
    }

    fn visit_async_generator_declaration(&mut self, node: &'ast AsyncGeneratorDeclaration) -> Flow {
        self.keyword(node.name().span().start(), &["function"], "generators");
        node.visit_with(self)
    }

    fn visit_async_generator_expression(&mut self, node: &'ast AsyncGeneratorExpression) -> Flow {
        self.at(node.span().start(), "async", "generators");
        node.visit_with(self)
    }

    fn visit_class_declaration(&mut self, node: &'ast ClassDeclaration) -> Flow {
        self.keyword(node.name().span().start(), &["class"], "classes");
        node.visit_with(self)
    }

    fn visit_class_expression(&mut self, node: &'ast ClassExpression) -> Flow {
        self.at(node.span().start(), "class", "classes");
        node.visit_with(self)
    }

    fn visit_super_call(&mut self, node: &'ast SuperCall) -> Flow {
        self.at(node.span().start(), "super", "`super`");
        node.visit_with(self)
    }

    fn visit_super_property_access(&mut self, node: &'ast SuperPropertyAccess) -> Flow {
        self.at(node.span().start(), "super", "`super`");
        node.visit_with(self)
    }

    fn visit_new_target(&mut self, node: &'ast NewTarget) -> Flow {
        self.at(node.span().start(), "new", "`new.target`");
        ControlFlow::Continue(())
    }

    fn visit_import_meta(&mut self, node: &'ast ImportMeta) -> Flow {
        self.at(node.span().start(), "import", "`import.meta`");
        ControlFlow::Continue(())
    }

    fn visit_import_call(&mut self, node: &'ast ImportCall) -> Flow {
        self.at(node.span().start(), "import", "dynamic import");
        node.visit_with(self)
    }

    fn visit_for_of_loop(&mut self, node: &'ast ForOfLoop) -> Flow {
        self.keyword(node.iterable().span().start(), &["of"], "`for...of`");
        node.visit_with(self)
    }

    fn visit_pattern(&mut self, node: &'ast Pattern) -> Flow {
        if self.patterns == 0 {
            let token = if matches!(node, Pattern::Object(_)) { "{" } else { "[" };
            self.at(node.span().start(), token, "destructuring");
        }
        self.patterns += 1;
        let flow = node.visit_with(self);
        self.patterns -= 1;
        flow
    }

    fn visit_formal_parameter(&mut self, node: &'ast FormalParameter) -> Flow {
        if node.init().is_some() {
            let at = self.text.offset(binding_position(node.variable().binding()));
            let place = self.text.after(at, "=").map_or(at, |range| range.start);
            self.token(place, "=", "default parameters");
        }
        node.visit_with(self)
    }

    fn visit_spread(&mut self, node: &'ast Spread) -> Flow {
        self.at(node.span().start(), "...", "spread");
        node.visit_with(self)
    }

    fn visit_property_definition(&mut self, node: &'ast PropertyDefinition) -> Flow {
        if let PropertyDefinition::SpreadObject(expression) = node {
            let at = self.text.offset(expression.span().start());
            self.token(at.saturating_sub(3), "...", "spread");
        }
        node.visit_with(self)
    }

    fn visit_property_name(&mut self, node: &'ast PropertyName) -> Flow {
        match node {
            PropertyName::Literal(_) => ControlFlow::Continue(()),
            PropertyName::Computed(expression) => self.visit_expression(expression),
        }
    }

    fn visit_try(&mut self, node: &'ast Try) -> Flow {
        self.visit_block(node.block())?;
        if let Some(catch) = node.catch() {
            let nth = self.catches;
            self.catches += 1;
            match catch.parameter() {
                Some(binding) => self.visit_binding(binding)?,
                None => {
                    let start = self.nth("catch", nth, |next| matches!(next, b'(' | b'{'));
                    self.token(start, "catch", "`catch` without a name");
                }
            }
            self.visit_block(catch.block())?;
        }
        node.finally().map_or(ControlFlow::Continue(()), |finally| self.visit_finally(finally))
    }

    fn visit_reg_exp_literal(&mut self, node: &'ast RegExpLiteral) -> Flow {
        let (flags, start) = (self.resolve(node.flags()), self.text.offset(node.span().start()));
        self.flags(&flags, start, "/");
        ControlFlow::Continue(())
    }

    fn visit_literal(&mut self, node: &'ast Literal) -> Flow {
        let start = self.text.offset(node.span().start());
        let digits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let written = self.text.from(start).split(|c| !digits(c)).next().unwrap_or_default();
        match node.kind() {
            LiteralKind::BigInt(_) => self.token(start, written, "BigInt"),
            LiteralKind::Int(_) | LiteralKind::Num(_) if self.runtime == Runtime::Js1 && written.contains('_') => {
                self.token(start, written, "numeric separators");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn visit_optional_operation(&mut self, node: &'ast OptionalOperation) -> Flow {
        if node.shorted() {
            let at = self.text.offset(node.span().start());
            let place = self.text.after(at, "?.").or_else(|| self.text.after(at.saturating_sub(2), "?."));
            self.token(place.map_or(at, |range| range.start), "?.", "optional chaining");
        }
        node.visit_with(self)
    }

    fn visit_assign(&mut self, node: &'ast Assign) -> Flow {
        let token = match node.op() {
            AssignOp::BoolAnd => "&&=",
            AssignOp::BoolOr => "||=",
            AssignOp::Coalesce => "??=",
            _ => return node.visit_with(self),
        };
        let at = self.text.offset(node.span().start());
        let place = self.text.after(at, token).map_or(at, |range| range.start);
        self.token(place, token, "logical assignment");
        node.visit_with(self)
    }

    fn visit_call(&mut self, node: &'ast Call) -> Flow {
        self.arguments(node.args());
        self.call(node);
        node.visit_with(self)
    }

    fn visit_new(&mut self, node: &'ast New) -> Flow {
        self.arguments(node.arguments());
        self.construction(node);
        // The call within it is the same thing.
        self.visit_expression(node.constructor())?;
        node.arguments().iter().try_for_each(|argument| self.visit_expression(argument))
    }

    fn visit_unary(&mut self, node: &'ast Unary) -> Flow {
        // `typeof fetch` asks whether it is there.
        if node.op() == UnaryOp::TypeOf && matches!(node.target(), Expression::Identifier(_)) {
            return ControlFlow::Continue(());
        }
        node.visit_with(self)
    }

    fn visit_property_access(&mut self, node: &'ast PropertyAccess) -> Flow {
        if let PropertyAccess::Simple(access) = node
            && let (Expression::Identifier(object), PropertyAccessField::Const(member)) =
                (access.target(), access.field())
            && !self.names.variables.contains(&object.sym())
        {
            let (object, name) = (self.resolve(object.sym()), self.resolve(member.sym()));
            if builtins::lacks_static(self.runtime, &object, &name) {
                let message = format!("`{object}.{name}` does not exist in {}", self.runtime.as_str());
                self.found(Code::Builtin, self.text.offset(member.span().start()), &name, message, String::new());
            }
        }
        node.visit_with(self)
    }

    fn visit_identifier(&mut self, node: &'ast Identifier) -> Flow {
        if self.names.variables.contains(&node.sym()) {
            return ControlFlow::Continue(());
        }
        let name = self.resolve(node.sym());
        if builtins::lacks_global(self.runtime, &name) {
            let message = format!("`{name}` does not exist in {}", self.runtime.as_str());
            self.found(Code::Builtin, self.text.offset(node.span().start()), &name, message, String::new());
        } else if name == "eval" {
            let message = "code from strings is not allowed in CloudFront Functions".to_owned();
            self.found(Code::Builtin, self.text.offset(node.span().start()), &name, message, "throws".to_owned());
        }
        ControlFlow::Continue(())
    }

    fn visit_import_declaration(&mut self, node: &'ast ImportDeclaration) -> Flow {
        let start = self.nth("import", self.imports, |next| !matches!(next, b'(' | b'.'));
        self.imports += 1;
        if self.runtime == Runtime::Js1 {
            self.token(start, "import", "`import`");
            return ControlFlow::Continue(());
        }
        let form = match (node.kind(), node.default()) {
            (ImportKind::Named { .. }, _) => Some("named imports"),
            (ImportKind::Namespaced { .. }, _) => Some("namespace imports"),
            (ImportKind::DefaultOrUnnamed, None) => Some("imports without a name"),
            (ImportKind::DefaultOrUnnamed, Some(_)) => None,
        };
        if let Some(form) = form {
            let message = format!("there are no {form} in CloudFront Functions");
            self.found(Code::Module, start, "import", message, "only `import NAME from 'MODULE'`".to_owned());
        }
        let module = self.resolve(node.specifier().sym());
        self.module(&module, start, "import");
        ControlFlow::Continue(())
    }

    fn visit_export_declaration(&mut self, node: &'ast ExportDeclaration) -> Flow {
        let start = self.nth("export", self.exports, |_| true);
        self.exports += 1;
        let message = "there is no `export` in CloudFront Functions".to_owned();
        self.found(Code::Module, start, "export", message, "a function named handler is enough".to_owned());
        node.visit_with(self)
    }
}
