//! Names that a source declares itself, wherever it does: what it calls so is its own.

use boa_ast::{
    Expression,
    declaration::{Binding, ImportDeclaration, Variable},
    expression::Identifier,
    expression::access::PropertyAccess,
    expression::access::PropertyAccessField,
    expression::literal::PropertyDefinition,
    expression::operator::assign::{Assign, AssignTarget},
    function::{
        AsyncFunctionDeclaration, AsyncFunctionExpression, ClassDeclaration, ClassExpression, FunctionDeclaration,
        FunctionExpression, GeneratorDeclaration,
    },
    pattern::Pattern,
    property::PropertyName,
    statement::Catch,
    visitor::{VisitWith, Visitor},
};
use boa_interner::Sym;
use std::{collections::HashSet, ops::ControlFlow};

/// Names of variables, functions, parameters and imports; and of properties that are given a value.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) variables: HashSet<Sym>,
    pub(crate) properties: HashSet<Sym>,
    /// Where regular expressions begin.
    pub(crate) regexes: Vec<boa_ast::Position>,
    in_pattern: bool,
}

impl Names {
    pub(crate) fn of(root: &impl VisitWith) -> Self {
        let mut names = Self::default();
        let _ = root.visit_with(&mut names);
        names
    }

    fn declare(&mut self, name: Option<Identifier>) {
        self.variables.extend(name.map(Identifier::sym));
    }
}

impl<'ast> Visitor<'ast> for Names {
    type BreakTy = ();

    fn visit_binding(&mut self, node: &'ast Binding) -> ControlFlow<()> {
        if let Binding::Identifier(name) = node {
            self.declare(Some(*name));
        }
        node.visit_with(self)
    }

    fn visit_variable(&mut self, node: &'ast Variable) -> ControlFlow<()> {
        node.visit_with(self)
    }

    fn visit_catch(&mut self, node: &'ast Catch) -> ControlFlow<()> {
        node.visit_with(self)
    }

    // All names in a pattern are taken for declared ones, the few in default values too: rather too many than too few.
    fn visit_pattern(&mut self, node: &'ast Pattern) -> ControlFlow<()> {
        let outer = std::mem::replace(&mut self.in_pattern, true);
        let flow = node.visit_with(self);
        self.in_pattern = outer;
        flow
    }

    fn visit_identifier(&mut self, node: &'ast Identifier) -> ControlFlow<()> {
        if self.in_pattern {
            self.declare(Some(*node));
        }
        ControlFlow::Continue(())
    }

    fn visit_function_declaration(&mut self, node: &'ast FunctionDeclaration) -> ControlFlow<()> {
        self.declare(Some(node.name()));
        node.visit_with(self)
    }

    fn visit_async_function_declaration(&mut self, node: &'ast AsyncFunctionDeclaration) -> ControlFlow<()> {
        self.declare(Some(node.name()));
        node.visit_with(self)
    }

    fn visit_generator_declaration(&mut self, node: &'ast GeneratorDeclaration) -> ControlFlow<()> {
        self.declare(Some(node.name()));
        node.visit_with(self)
    }

    fn visit_function_expression(&mut self, node: &'ast FunctionExpression) -> ControlFlow<()> {
        self.declare(node.name());
        node.visit_with(self)
    }

    fn visit_async_function_expression(&mut self, node: &'ast AsyncFunctionExpression) -> ControlFlow<()> {
        self.declare(node.name());
        node.visit_with(self)
    }

    fn visit_class_declaration(&mut self, node: &'ast ClassDeclaration) -> ControlFlow<()> {
        self.declare(Some(node.name()));
        node.visit_with(self)
    }

    fn visit_class_expression(&mut self, node: &'ast ClassExpression) -> ControlFlow<()> {
        self.declare(node.name());
        node.visit_with(self)
    }

    fn visit_import_declaration(&mut self, node: &'ast ImportDeclaration) -> ControlFlow<()> {
        self.declare(node.default());
        let outer = std::mem::replace(&mut self.in_pattern, true);
        let flow = node.visit_with(self);
        self.in_pattern = outer;
        flow
    }

    fn visit_property_definition(&mut self, node: &'ast PropertyDefinition) -> ControlFlow<()> {
        if let PropertyDefinition::IdentifierReference(name) = node {
            self.properties.insert(name.sym());
        }
        node.visit_with(self)
    }

    fn visit_property_name(&mut self, node: &'ast PropertyName) -> ControlFlow<()> {
        match node {
            PropertyName::Literal(name) => {
                self.properties.insert(name.sym());
                ControlFlow::Continue(())
            }
            PropertyName::Computed(expression) => self.visit_expression(expression),
        }
    }

    fn visit_assign(&mut self, node: &'ast Assign) -> ControlFlow<()> {
        if let AssignTarget::Access(PropertyAccess::Simple(access)) = node.lhs()
            && let PropertyAccessField::Const(name) = access.field()
        {
            self.properties.insert(name.sym());
        }
        // An undeclared name that is given a value is no builtin of this source any more.
        if let AssignTarget::Identifier(name) = node.lhs() {
            self.declare(Some(*name));
        }
        node.visit_with(self)
    }

    fn visit_expression(&mut self, node: &'ast Expression) -> ControlFlow<()> {
        if let Expression::RegExpLiteral(regex) = node {
            self.regexes.push(boa_ast::Spanned::span(regex).start());
        }
        node.visit_with(self)
    }
}
