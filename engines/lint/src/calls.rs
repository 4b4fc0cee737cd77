//! Calls: `await` in their arguments, `require`, `console`, `RegExp`, and methods that values do not have.

use crate::{builtins, finding::Code, syntax::Lint};
use boa_ast::{
    Expression, Spanned as _,
    expression::literal::ObjectMethodDefinition,
    expression::{
        Await, Call, Identifier, New,
        access::{PropertyAccess, PropertyAccessField},
        literal::LiteralKind,
    },
    function::{
        ArrowFunction, AsyncArrowFunction, AsyncFunctionDeclaration, AsyncFunctionExpression, FunctionDeclaration,
        FunctionExpression,
    },
    visitor::{VisitWith, Visitor},
};
use std::ops::ControlFlow;

/// Looks for `await` of the same function.
struct FindAwait;

impl<'ast> Visitor<'ast> for FindAwait {
    type BreakTy = boa_ast::Position;

    fn visit_await(&mut self, node: &'ast Await) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Break(node.span().start())
    }
    fn visit_arrow_function(&mut self, _: &'ast ArrowFunction) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
    fn visit_async_arrow_function(&mut self, _: &'ast AsyncArrowFunction) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
    fn visit_function_expression(&mut self, _: &'ast FunctionExpression) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
    fn visit_async_function_expression(&mut self, _: &'ast AsyncFunctionExpression) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
    fn visit_function_declaration(&mut self, _: &'ast FunctionDeclaration) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
    fn visit_async_function_declaration(&mut self, _: &'ast AsyncFunctionDeclaration) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
    fn visit_object_method_definition(&mut self, _: &'ast ObjectMethodDefinition) -> ControlFlow<Self::BreakTy> {
        ControlFlow::Continue(())
    }
}

impl Lint<'_> {
    pub(crate) fn arguments(&mut self, arguments: &[Expression]) {
        for argument in arguments {
            if let ControlFlow::Break(position) = argument.visit_with(&mut FindAwait) {
                let label = "assign it to a variable first".to_owned();
                let message = "`await` within the arguments of a call is not supported in CloudFront Functions";
                self.found(Code::AwaitInArguments, self.text.offset(position), "await", message.to_owned(), label);
            }
        }
    }

    pub(crate) fn call(&mut self, call: &Call) {
        match call.function() {
            Expression::Identifier(name) if self.is_global(*name, "require") => self.require(*name, call.args()),
            Expression::Identifier(name) if self.is_global(*name, "Function") => self.code_from_text(*name),
            Expression::Identifier(name) if self.is_global(*name, "RegExp") => self.regexp(*name, call.args()),
            Expression::PropertyAccess(PropertyAccess::Simple(access)) => {
                let PropertyAccessField::Const(method) = access.field() else { return };
                match access.target() {
                    Expression::Identifier(object) if self.is_global(*object, "console") => {
                        self.console(*method, call.args());
                    }
                    Expression::Identifier(object) if self.is_global(*object, "Object") => {
                        self.create(*method, call.args());
                    }
                    _ => self.method(*method),
                }
            }
            _ => {}
        }
    }

    pub(crate) fn construction(&mut self, new: &New) {
        if let Expression::Identifier(name) = new.constructor() {
            if self.is_global(*name, "Function") {
                self.code_from_text(*name);
            } else if self.is_global(*name, "RegExp") {
                self.regexp(*name, new.arguments());
            }
        }
    }

    fn require(&mut self, at: Identifier, arguments: &[Expression]) {
        if let Some(Expression::Literal(literal)) = arguments.first()
            && let LiteralKind::String(module) = literal.kind()
        {
            let (module, start) = (self.resolve(*module), self.text.offset(at.span().start()));
            self.module(&module, start, "require");
        }
    }

    fn code_from_text(&mut self, at: Identifier) {
        let message = "code from strings is not allowed in CloudFront Functions".to_owned();
        self.found(Code::Builtin, self.text.offset(at.span().start()), "Function", message, "throws".to_owned());
    }

    fn regexp(&mut self, at: Identifier, arguments: &[Expression]) {
        if let Some(Expression::Literal(literal)) = arguments.get(1)
            && let LiteralKind::String(flags) = literal.kind()
        {
            let (flags, start) = (self.resolve(*flags), self.text.offset(at.span().start()));
            self.flags(&flags, start, "RegExp");
        }
    }

    fn console(&mut self, method: Identifier, arguments: &[Expression]) {
        let (name, start) = (self.resolve(method.sym()), self.text.offset(method.span().start()));
        if name != "log" {
            let message = format!("`console.{name}` does not exist in CloudFront Functions");
            self.found(Code::Console, start, &name, message, "only console.log does".to_owned());
        } else if arguments.len() > 1 {
            let message = "`console.log` takes one argument in CloudFront Functions".to_owned();
            self.found(Code::Console, start, &name, message, format!("{} arguments", arguments.len()));
        }
    }

    /// `Object.create` knows no list of properties there; other members of `Object` are looked at where they are named.
    fn create(&mut self, method: Identifier, arguments: &[Expression]) {
        let name = self.resolve(method.sym());
        if name == "create" && arguments.len() > 1 {
            let message = "`Object.create` takes no list of properties in CloudFront Functions".to_owned();
            let label = "use Object.defineProperties".to_owned();
            self.found(Code::Builtin, self.text.offset(method.span().start()), "create", message, label);
        }
    }

    fn method(&mut self, method: Identifier) {
        let name = self.resolve(method.sym());
        if builtins::lacks_method(self.runtime, &name) && !self.names.properties.contains(&method.sym()) {
            let message = format!("the method `{name}` does not exist in {}", self.runtime.as_str());
            self.found(Code::Builtin, self.text.offset(method.span().start()), &name, message, String::new());
        }
    }
}
